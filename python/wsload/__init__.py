"""wsload: load and soak testing for WebSocket services."""

__version__ = "0.1.0"
