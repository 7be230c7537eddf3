"""Tsung, its websocket sessions."""

import re
from typing import ClassVar

from benchmarks.peers.tool import MESSAGE, SCRIPTS, Command, Job, Latency, Tool, said


class Tsung(Tool):
    """A user for each connection, in the controller's virtual machine."""

    name: ClassVar[str] = "tsung"
    what: ClassVar[str] = (
        "`ts_websocket` sessions in the controller's machine, each reply awaited, think time in the open loop"
    )
    install: ClassVar[tuple[str, ...]] = ("apt-get install -y --no-install-recommends tsung",)
    warm_up_s: ClassVar[float] = 2.0

    def version(self) -> str | None:
        """Of the command."""
        return said(["tsung", "-v"], r"version (\S+)")

    def command(self, job: Job) -> Command:
        """A scenario file of its own."""
        think = f'<thinktime value="{job.interval_s}" random="false"/>' if job.kind == "open" else ""
        message = f'<request><websocket type="message" frame="text">{MESSAGE}</websocket></request>{think}'
        body = f'<for var="i" from="1" to="100000000">{message}</for>'
        if job.kind == "idle":
            body = f'<thinktime value="{job.seconds}" random="false"/>'
        text = (SCRIPTS / "tsung.xml").read_text(encoding="utf-8")
        values = {"PORT": job.port, "CONNECTIONS": job.connections, "SECONDS": job.seconds + 1, "BODY": body}
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        file = job.folder / "load.xml"
        file.write_text(text, encoding="utf-8")
        return Command(["tsung", "-f", str(file), "-l", str(job.folder / "tsung"), "start"], {"HOME": str(job.folder)})

    def latency(self, job: Job, output: str) -> Latency | None:  # noqa: ARG002
        """Its log keeps means only: no percentile to tell."""
        log = next((job.folder / "tsung").glob("*/tsung.log"), None)
        if log is None or not re.search(r"^stats: request ", log.read_text(encoding="utf-8"), re.MULTILINE):
            return None
        return Latency()
