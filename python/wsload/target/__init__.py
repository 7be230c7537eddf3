"""Servers to aim at."""

from wsload.target.ageing import parse_leak, parse_slow_down
from wsload.target.lives import Restart, serve_in_lives
from wsload.target.script import Script, describe, explain, parse_delay, parse_share, parse_stall
from wsload.target.server import Served, Serving, serve, serve_echo

__all__ = [
    "Restart",
    "Script",
    "Served",
    "Serving",
    "describe",
    "explain",
    "parse_delay",
    "parse_leak",
    "parse_share",
    "parse_slow_down",
    "parse_stall",
    "serve",
    "serve_echo",
    "serve_in_lives",
]
