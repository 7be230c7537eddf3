"""Chromium, for the tests of what it is to show; where there is none they are skipped by name."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with driver.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


def until(tab: Any, condition: str) -> None:
    """Waits in the page itself: its policy lets nobody else run a string there."""
    tab.evaluate(
        f"new Promise((done) => {{ const look = () => ({condition}) ? done() : setTimeout(look, 20); look(); }})"
    )


def complaints(tab: Any) -> list[str]:
    """Where a page's errors and warnings will be."""
    found: list[str] = []
    tab.on("console", lambda message: found.append(message.text) if message.type in {"error", "warning"} else None)
    tab.on("pageerror", lambda error: found.append(str(error)))
    return found
