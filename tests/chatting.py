"""The chat service in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SERVER = Path(__file__).with_name("chat_server.py")


class Chat:
    """The service: where it listens, and once it has ended what it counted and was told."""

    def __init__(self, port: str, log: Path) -> None:
        self.port = port
        self.log = log
        self.counts: dict[str, int] = {}

    @property
    def said(self) -> list[str]:
        return sorted(self.log.read_text(encoding="utf-8").splitlines())


@contextmanager
def chat(folder: Path, name: str = "said.log") -> Iterator[Chat]:
    command = [sys.executable, str(SERVER), str(folder / name)]
    with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        service = Chat(process.stdout.readline().strip(), folder / name)
        try:
            yield service
        finally:
            output, _ = process.communicate(timeout=30)
            service.counts = json.loads(output)
