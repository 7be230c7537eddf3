"""Servers to aim at."""

from wsload.target.server import Served, Serving, serve_echo

__all__ = ["Served", "Serving", "serve_echo"]
