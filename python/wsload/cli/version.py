"""What `--version` prints."""

import platform

from wsload.results.header import build_profile


def version_line(version: str) -> str:
    """Version, build profile of the Rust half, Python."""
    return f"wsload {version} ({build_profile()} build, Python {platform.python_version()})"
