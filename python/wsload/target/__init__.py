"""Servers to aim at."""

from wsload.target.script import Script, describe, explain, parse_delay, parse_share, parse_stall
from wsload.target.server import Served, Serving, serve, serve_echo

__all__ = [
    "Script",
    "Served",
    "Serving",
    "describe",
    "explain",
    "parse_delay",
    "parse_share",
    "parse_stall",
    "serve",
    "serve_echo",
]
