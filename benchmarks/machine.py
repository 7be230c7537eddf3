"""The machine and versions of a measurement, and how busy others kept it meanwhile."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parent.parent
TICK_NS = 10**9 // os.sysconf("SC_CLK_TCK")


def describe() -> dict[str, str | int]:
    """Hardware, kernel and versions; no names and no paths."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "?"
    )
    congestion = Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text(encoding="ascii").strip()
    return {
        "cpu": model,
        "cores": os.cpu_count() or 0,
        "kernel": platform.release(),
        "congestion_control": congestion,
        "python": platform.python_version(),
        "uvloop": version("uvloop"),
        "rust": _output("rustc", "--version").split()[1],
        "wsload": version("wsload"),
        "commit": _output("git", "rev-parse", "--short=12", "HEAD")
        + ("+" if _output("git", "status", "--porcelain", "-uno") else ""),
    }


def busy_ns() -> int:
    """CPU time all processes of the machine have used so far."""
    fields = [int(field) for field in next(iter(_lines("/proc/stat"))).split()[1:]]
    user, nice, system, _idle, _iowait, irq, softirq, *_ = fields
    return (user + nice + system + irq + softirq) * TICK_NS


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines()


def _output(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
