"""`python -m benchmarks.parent_memory ws://127.0.0.1:9000/ FLAGS`: a soak with intervals of 20 ms in place of a second.

What grows with the number of intervals shows fifty times sooner. Prints the parent's resident memory every ten seconds;
flags are those of `wsload soak`.
"""

import resource
import sys
import threading
import time
from pathlib import Path

import wsload.scenario.build
from wsload.cli.app import main as run_wsload

INTERVAL_NS = 20_000_000
PERIOD_S = 10.0


def main() -> int:
    """Entry point."""
    wsload.scenario.build.INTERVAL_NS = INTERVAL_NS
    threading.Thread(target=watch, args=(time.monotonic(),), daemon=True).start()
    return run_wsload(["soak", *sys.argv[1:]])


def watch(begin: float) -> None:
    """Seconds and MiB, until the process ends."""
    while True:
        time.sleep(PERIOD_S)
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        print(f"{time.monotonic() - begin:.0f},{pages * resource.getpagesize() / 2**20:.1f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
