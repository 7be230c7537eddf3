"""Which peers are there."""

import shutil

import pytest

from servers import PEERS

needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not (PEERS / "node_modules" / "ws").exists(), reason="npm ws is not installed"
)
