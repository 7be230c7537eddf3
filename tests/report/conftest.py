"""A browser for each module that asks: while one is there, no event loop of ours can run beside its own."""

from collections.abc import Iterator
from typing import Any

import pytest

from report.browsing import chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found
