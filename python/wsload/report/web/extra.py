"""Starlette and uvicorn are an extra: they are named when they are missing."""

from importlib.util import find_spec

from wsload.errors import UsageError


def check_extra() -> None:
    """Looks whether the web view can be served.

    Raises:
        UsageError: the extra is not installed.
    """
    missing = [name for name in ("starlette", "uvicorn") if find_spec(name) is None]
    if missing:
        what = f"--web: {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed"
        raise UsageError(what, "Install them with: pip install 'wsload[web]'")
