"""`make conformance`: installs the Autobahn testsuite, runs its fuzzing server, judges the report, writes the page."""

import argparse
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".autobahn"
PAGE = ROOT / "docs" / "conformance.md"
PINNED = (
    "autobahntestsuite==0.8.2",
    "Twisted==19.10.0",
    "incremental==16.10.1",
    "pyOpenSSL==19.1.0",
    "cryptography==3.3.2",
)
EXPECTED_CASES = 517
GOOD = {"OK", "NON-STRICT", "INFORMATIONAL"}
GOOD_CLOSE = {"OK", "INFORMATIONAL"}
START_TIMEOUT_S = 30
GROUPS = {
    "1": "Framing",
    "2": "Pings and pongs",
    "3": "Reserved bits",
    "4": "Opcodes",
    "5": "Fragmentation",
    "6": "UTF-8",
    "7": "Close handling",
    "9": "Limits and performance",
    "10": "Auto-fragmentation",
    "12": "Compression, payloads",
    "13": "Compression, parameters",
}
# What becomes of a page named `.pth` when a folder is not a site directory: zope's packages are not found.
RUN_SUITE = "import site, sys; site.addsitedir({folder!r}); from autobahntestsuite.wstest import run; run()"


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="make conformance", description=__doc__)
    parser.add_argument("--url", help="a fuzzing server that is running, instead of one of our own")
    parser.add_argument("--cases", default="*", help="patterns of cases, separated by spaces (default: all)")
    parser.add_argument("--python2", help="a Python 2.7 to install the suite with")
    options = parser.parse_args()
    if options.url:
        drive(options.url)
        print("the report is where that server writes it: reports/clients/index.json")
        return
    python2 = find_python2(options.python2)
    install(python2)
    with tempfile.TemporaryDirectory() as folder, fuzzing_server(python2, Path(folder), options.cases) as url:
        drive(url)
        index = json.loads((Path(folder) / "reports" / "index.json").read_text(encoding="utf-8"))
    results: dict[str, Any] = index.get("wsload", {})
    bad = {case: result for case, result in results.items() if not acceptable(result)}
    whole = options.cases == "*"
    if whole:
        PAGE.write_text(render(results), encoding="utf-8")
    print(f"{len(results) - len(bad)} of {len(results)} cases acceptable")
    for case in sorted(bad, key=order):
        print(f"  {case}: {bad[case]['behavior']}, close {bad[case]['behaviorClose']}")
    if bad or not results or (whole and len(results) != EXPECTED_CASES):
        sys.exit(f"error: {EXPECTED_CASES} acceptable cases were expected" if whole else 1)


def find_python2(named: str | None) -> str:
    """A Python 2.7: the one named, pyenv's, or the one on the path."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [named, *sorted(map(str, pyenv.glob("2.7.*/bin/python2.7")), reverse=True), shutil.which("python2.7")]
    for candidate in filter(None, found):
        if shutil.which(candidate):
            return candidate
    sys.exit(
        "error: the Autobahn testsuite needs Python 2.7, and there is none here\n"
        "       Name one (PYTHON2=...), install one (pyenv install 2.7.18), or aim at a server (URL=ws://...)."
    )


def install(python2: str) -> None:
    """Installs the suite into a folder of the project's own, once."""
    done = FOLDER / "installed"
    if done.exists():
        return
    command = [python2, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", str(FOLDER)]
    subprocess.run([*command, *PINNED], check=True)
    done.touch()


@contextlib.contextmanager
def fuzzing_server(python2: str, folder: Path, cases: str) -> Iterator[str]:
    """The suite's server on a port of its own."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        url = f"ws://127.0.0.1:{probe.getsockname()[1]}"
    spec = {"url": url, "outdir": str(folder / "reports"), "cases": cases.split(), "exclude-cases": []}
    (folder / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
    command = [python2, "-c", RUN_SUITE.format(folder=str(FOLDER)), "-m", "fuzzingserver", "-s", "spec.json"]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT) as server,
    ):
        try:
            wait_until_listening(url, server)
            yield url
        finally:
            server.terminate()


def wait_until_listening(url: str, server: subprocess.Popen[bytes]) -> None:
    """Returns when the server takes connections."""
    host, port = url.removeprefix("ws://").split(":")
    give_up = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < give_up and server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
            return
        time.sleep(0.1)
    sys.exit("error: the fuzzing server does not start")


def drive(url: str) -> None:
    """Runs the client in a process of its own."""
    subprocess.run([sys.executable, str(Path(__file__).with_name("drive.py")), url], check=True)


def acceptable(result: dict[str, Any]) -> bool:
    """As the suite defines it; UNIMPLEMENTED is not, for compression is claimed."""
    return result["behavior"] in GOOD and result["behaviorClose"] in GOOD_CLOSE


def order(case: str) -> list[int]:
    """Cases in the order of their numbers."""
    return [int(part) for part in case.split(".")]


def render(results: dict[str, Any]) -> str:
    """The page."""
    good = sum(map(acceptable, results.values()))
    lines = [
        "# Conformance",
        "",
        "Written by `make conformance` (`tests/conformance/`): wsload's engine as a client of the Autobahn testsuite",
        f"0.8.2, permessage-deflate offered. **{good} of {len(results)} cases acceptable** (OK, NON-STRICT or",
        "INFORMATIONAL, as the suite defines them).",
        "",
        "| group | cases | OK | NON-STRICT | INFORMATIONAL | other |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for number, name in GROUPS.items():
        counts = Counter(r["behavior"] for case, r in results.items() if case.split(".")[0] == number)
        other = sum(count for behavior, count in counts.items() if behavior not in GOOD)
        figures = [sum(counts.values()), counts["OK"], counts["NON-STRICT"], counts["INFORMATIONAL"], other]
        lines.append(f"| {number} {name} | {' | '.join(map(str, figures))} |")
    lines += ["", "## Not plainly OK", ""]
    lines.append("| case | behaviour | close | code the suite received |")
    lines.append("|---|---|---|---|")
    for case in sorted(results, key=order):
        result = results[case]
        if (result["behavior"], result["behaviorClose"]) != ("OK", "OK"):
            close, code = result["behaviorClose"], result["remoteCloseCode"]
            lines.append(f"| {case} | {result['behavior']} | {close} | {code} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
