"""`make release-check`: the release checklist, run by a machine. Nothing is published.

Builds the wheel and the sdist into dist/, builds a second wheel from the sdist, installs the first into a clean
environment outside this folder, and there runs load against the embedded server.
"""

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import venv
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent
DIST = ROOT / "dist"
TEXTS = ROOT / "python" / "wsload" / "third-party-licences.txt"
WHEEL = re.compile(r"wsload-(?P<version>[^-]+)-cp311-abi3-manylinux_2_(?P<glibc>\d+)_x86_64(\.manylinux\w+)?\.whl")
WHEEL_MAX_BYTES = 12 << 20
START_MAX_MS = 400
"""CPU of `wsload --help` with `python -X importtime`."""
HEAVY = {"bokeh", "numpy", "picows", "pydantic", "ray", "uvloop"}
"""What only commands that need it may import."""


class StepError(Exception):
    """A step did not come out as it should."""


def main() -> None:
    """Goes through the steps; says which one failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--skip-sdist", action="store_true", help="do not build from the sdist, which takes minutes")
    options = parser.parse_args()
    steps: list[Callable[[], str]] = [clean_tree, versions, licences, wheel, wheel_holds, sdist]
    steps += [] if options.skip_sdist else [wheel_from_sdist]
    steps.append(clean_install)
    for step in steps:
        try:
            said = step()
        except (StepError, subprocess.CalledProcessError) as error:
            output = getattr(error, "stderr", None) or ""
            raise SystemExit(f"FAILED  {step.__name__}: {error}\n{output[-2000:]}") from None
        print(f"ok      {step.__name__}: {said}", flush=True)


def clean_tree() -> str:
    """What is released is what is committed."""
    changed = out("git", "status", "--porcelain").splitlines()
    if changed:
        raise StepError(f"{len(changed)} files are not committed, such as {changed[0]}")
    return out("git", "rev-parse", "--short", "HEAD").strip()


def versions() -> str:
    """One version, and the changelog tells of it."""
    version = cargo_version()
    headings = re.findall(r"^## ([^\s,]+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    if not headings or headings[0] != version:
        raise StepError(f"Cargo.toml has {version}, CHANGELOG.md begins with {headings[:1]}")
    built = out(sys.executable, "-c", "import wsload; print(wsload.__version__)").strip()
    if built != version:
        raise StepError(f"Cargo.toml has {version}, the module that was built says {built}: make setup")
    return version


def licences() -> str:
    """All are permissive, and the texts go into the wheel."""
    script = str(ROOT / "scripts" / "licences.py")
    before = (ROOT / "docs" / "licences.md").read_bytes()
    out(sys.executable, script)
    if (ROOT / "docs" / "licences.md").read_bytes() != before:
        raise StepError("docs/licences.md is out of date: it has been written anew")
    out(sys.executable, script, "--texts", str(TEXTS))
    return f"{TEXTS.stat().st_size:,} bytes of texts"


def wheel() -> str:
    """One wheel for Python 3.11 and later, for old systems as far as this one's C library allows; profile-guided."""
    shutil.rmtree(DIST, ignore_errors=True)
    if not list(Path(out("rustc", "--print", "sysroot").strip()).glob("lib/rustlib/*/bin/llvm-profdata")):
        raise StepError("a profile-guided build needs llvm-profdata: rustup component add llvm-tools")
    out(maturin(), "build", "--release", "--locked", "--pgo", "--out", str(DIST), "-i", sys.executable)
    return found("*.whl").name


def wheel_holds() -> str:
    """The package, its data and the texts; one module; no tests and nothing of this machine."""
    file = found("*.whl")
    match = WHEEL.fullmatch(file.name)
    if not match or match["version"] != cargo_version():
        raise StepError(f"{file.name} is no manylinux wheel of {cargo_version()} for the stable ABI")
    if file.stat().st_size > WHEEL_MAX_BYTES:
        raise StepError(f"{file.stat().st_size:,} bytes, more than {WHEEL_MAX_BYTES:,}")
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
    modules = [name for name in names if name.endswith(".so")]
    if modules != ["wsload/_core.abi3.so"]:
        raise StepError(f"modules: {modules}")
    needed = ["wsload/py.typed", "wsload/_core.pyi", f"wsload/{TEXTS.name}"]
    info = f"wsload-{cargo_version()}.dist-info/"
    strays = [name for name in names if not name.startswith(("wsload/", info)) or "__pycache__" in name]
    missing = [name for name in needed if name not in names]
    if strays or missing:
        raise StepError(f"strays: {strays[:3]}, missing: {missing}")
    committed = {name for name in out("git", "ls-files", "python/wsload").split() if not name.endswith("/")}
    lost = [name for name in committed if name.removeprefix("python/") not in names]
    if lost:
        raise StepError(f"not in the wheel: {lost[:3]}")
    return f"{len(names)} files, {file.stat().st_size:,} bytes, C library 2.{match['glibc']} or later"


def sdist() -> str:
    """What is needed to build, and what a person looks for."""
    out(maturin(), "sdist", "--out", str(DIST))
    file = found("*.tar.gz")
    with tarfile.open(file) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    missing = {"pyproject.toml", "Cargo.toml", "Cargo.lock", "LICENSE", "README.md", "python/wsload/py.typed"} - names
    if missing:
        raise StepError(f"missing: {sorted(missing)}")
    return f"{file.name}, {len(names)} files"


def wheel_from_sdist() -> str:
    """The sdist builds; target/ is shared, so that only what is wsload's is built again."""
    environment = {
        **os.environ,
        "CARGO_TARGET_DIR": str(ROOT / "target"),
        "PATH": f"{bin_folder()}:{os.environ['PATH']}",
    }
    with tempfile.TemporaryDirectory() as folder:
        command = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
        out(*command, "--wheel-dir", folder, str(found("*.tar.gz")), cwd=folder, environment=environment)
        (made,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(made) as there, zipfile.ZipFile(found("*.whl")) as here:
            # The licence texts are written for the wheel, not kept.
            lost = set(here.namelist()) - set(there.namelist()) - {f"wsload/{TEXTS.name}"}
        lost = {name for name in lost if ".dist-info/" not in name}
        if lost:
            raise StepError(f"a wheel from the sdist lacks {sorted(lost)[:3]}")
        return made.name


def clean_install() -> str:
    """A stranger's first minutes: install, serve, run, read the file."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        venv.create(folder / "venv", with_pip=True)
        python, wsload = (str(folder / "venv" / "bin" / word) for word in ("python", "wsload"))
        pins = str(ROOT / "constraints.txt")
        pip = (python, "-m", "pip", "--disable-pip-version-check")
        out(*pip, "install", "--quiet", "-c", pins, f"{found('*.whl')}[web]", cwd=folder)
        out(*pip, "check", cwd=folder)
        said = out(wsload, "--version", cwd=folder).strip()
        if not said.startswith(f"wsload {cargo_version()} (release build,"):
            raise StepError(f"--version says {said!r}")
        took_ms = start_ms(python, folder)
        if took_ms > START_MAX_MS:
            raise StepError(f"--help takes {took_ms:.0f} ms of CPU, more than {START_MAX_MS}")
        answered = first_run(wsload, folder)
        return f"--help {took_ms:.0f} ms of CPU, {answered:,} messages answered, report written"


def start_ms(python: str, folder: Path) -> float:
    """CPU of `wsload --help`, the second time: a busy machine must not count. Looks at what it imports, too."""
    command = (python, "-X", "importtime", "-m", "wsload", "--help")
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    imported = set(re.findall(r"^import time:.*\| +([\w.]+)$", done.stderr, re.MULTILINE))
    if heavy := HEAVY & imported:
        raise StepError(f"--help imports {', '.join(sorted(heavy))}")
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e3


def first_run(wsload: str, folder: Path) -> int:
    """Load on the embedded server with all cores, and a page from the file. Gives messages answered."""
    with subprocess.Popen(
        [wsload, "serve", "echo", "--port", "0"], stdout=subprocess.PIPE, text=True, cwd=folder
    ) as server:
        try:
            assert server.stdout is not None  # noqa: S101 - it was asked for
            url = next(word for word in server.stdout.readline().split() if word.startswith("ws://"))
            flags = ("-c", "50", "--rate", "1k/s", "-d", "2s", "--compress", "on", "-o", "run.wsload")
            summary = json.loads(out(wsload, "run", url, *flags, "--format", "json", cwd=folder))
        finally:
            server.terminate()
    messages = summary["messages"]
    if not messages["due"] == messages["sent"] == messages["answered"] == 2000 or summary["failures"]:
        raise StepError(f"the run: {messages}, {summary['failures']}")
    out(wsload, "report", "run.wsload", "--html", "run.html", cwd=folder)
    if b"</html>" not in (folder / "run.html").read_bytes()[-200:]:
        raise StepError("the page is not whole")
    return int(messages["answered"])


def out(*command: str, cwd: Path | str = ROOT, environment: dict[str, str] | None = None) -> str:
    """What a command says on standard output; it must succeed."""
    done = subprocess.run(command, cwd=cwd, env=environment, check=True, capture_output=True, text=True)
    return done.stdout


def found(pattern: str) -> Path:
    """The one file of dist/ that is meant."""
    files = list(DIST.glob(pattern))
    if len(files) != 1:
        raise StepError(f"{DIST} has {len(files)} of {pattern}")
    return files[0]


def cargo_version() -> str:
    """The version, from its one place."""
    cargo = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))
    return str(cargo["workspace"]["package"]["version"])


def bin_folder() -> Path:
    """Of the environment that runs this."""
    return Path(sys.executable).parent


def maturin() -> str:
    """The build tool."""
    return str(bin_folder() / "maturin")


if __name__ == "__main__":
    main()
