"""Writes docs/licences.md: what a wheel links in or asks pip for, and under which licence.

`--texts FILE` writes the licence texts of what is linked in, for the wheel. A licence that is not known to be
permissive ends it: whoever adds a dependency decides about it.
"""

import argparse
import json
import re
import subprocess
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
LIST = ROOT / "docs" / "licences.md"
PLATFORM = "x86_64-unknown-linux-gnu"
PERMISSIVE = {
    *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "ISC", "MIT", "MIT-0", "MIT-CMU"),
    *("PSF-2.0", "Unicode-3.0", "Unlicense", "Zlib"),
}
SPOKEN = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache License 2.0": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "The MIT License": "MIT",
}
"""What packages say that name no SPDX expression."""
HEAD = """\
# Licences

Written by `make docs` from `cargo metadata` and the packages that are installed; a test holds it up to date. wsload
itself is under Apache-2.0. Every licence here is permissive: any other one ends the script that writes this. The
texts of what is linked in are in each wheel (`wsload/third-party-licences.txt`).
"""


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=Path, metavar="FILE", help="write the texts there instead")
    options = parser.parse_args()
    if options.texts:
        options.texts.write_text(texts(), encoding="utf-8")
    else:
        LIST.write_text(listed(), encoding="utf-8")


def listed() -> str:
    """The list as Markdown."""
    crates = [(one["name"], one["version"], one["license"] or "") for one in linked()]
    lines = [HEAD, "## Linked into the module", "", "| crate | version | licence |", "|---|---|---|"]
    lines += [f"| {name} | {version} | {allowed(name, licence)} |" for name, version, licence in crates]
    lines += [
        "",
        "## Installed beside it",
        "",
        "With the extra `web`; what `ray` brings is Ray's own affair (Apache-2.0).",
        "",
    ]
    lines += ["| package | version | licence |", "|---|---|---|"]
    for one in packages():
        name = one.metadata["Name"]
        lines.append(f"| {name} | {one.version} | {allowed(name, spoken(one))} |")
    return "\n".join(lines) + "\n"


def linked() -> list[dict[str, Any]]:
    """Crates whose code is in the module: normal dependencies of wsload-py, no build scripts, no macros."""
    command = ("cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", PLATFORM)
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    metadata = json.loads(done.stdout)
    crates = {one["id"]: one for one in metadata["packages"]}
    graph = {one["id"]: one for one in metadata["resolve"]["nodes"]}
    todo = [identity for identity, one in crates.items() if one["name"] == "wsload-py"]
    found: set[str] = set()
    while todo:
        identity = todo.pop()
        if identity in found or any("proc-macro" in target["kind"] for target in crates[identity]["targets"]):
            continue
        found.add(identity)
        needed = graph[identity]["deps"]
        todo += [one["pkg"] for one in needed if any(kind["kind"] is None for kind in one["dep_kinds"])]
    others = [crates[identity] for identity in found if crates[identity]["source"] is not None]
    return sorted(others, key=lambda one: (one["name"], one["version"]))


def packages() -> list[Distribution]:
    """What pip installs with wsload, from what is installed here."""
    todo = [("wsload", frozenset({"web"}))]
    found: dict[str, Distribution] = {}
    while todo:
        name, extras = todo.pop()
        one = distribution(name)
        if name in found:
            continue
        found[name] = one
        for asked in one.requires or []:
            what, _, condition = asked.partition(";")
            extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", condition)
            if (
                (extra and extra[1] not in extras)
                or ("win32" in condition and "!=" not in condition)
                or "Windows" in condition
            ):
                continue
            found_name = re.match(r"[A-Za-z0-9._-]+", what)
            if found_name and _installed(found_name[0]):
                todo.append((_normal(found_name[0]), frozenset()))
    del found["wsload"]
    return [found[name] for name in sorted(found)]


def allowed(name: str, licence: str) -> str:
    """The licence as an expression, if one may choose permissive ones.

    Raises:
        SystemExit: it is another one, or none.
    """
    expression = licence.replace("/", " OR ")
    choices = [re.split(r"\s+AND\s+", one.strip(" ()")) for one in re.split(r"\s+OR\s+", expression)]
    if not any(all(part.strip(" ()").partition(" WITH ")[0] in PERMISSIVE for part in choice) for choice in choices):
        raise SystemExit(
            f"{name}: licence {licence!r}: look whether it may be used, and add it to PERMISSIVE or SPOKEN"
        )
    return expression


def spoken(one: Distribution) -> str:
    """The licence of a package, wherever it says so."""
    meta = one.metadata
    if "License-Expression" in meta:
        return meta["License-Expression"]
    classified: list[str] = [
        text.rpartition(" :: ")[2] for text in meta.get_all("Classifier") or [] if text.startswith("License :: OSI")
    ]
    plain: str = meta["License"].strip() if "License" in meta else ""
    files = [one.locate_file(file) for file in one.files or () if file.name.upper().startswith("LICEN")]
    heads = [Path(str(file)).read_text(encoding="utf-8").strip().partition("\n")[0] for file in files]
    for text in (plain, *classified, *heads):
        if text in PERMISSIVE or text in SPOKEN:
            return SPOKEN.get(text, text)
    return " AND ".join(classified) or plain.partition("\n")[0]


def texts() -> str:
    """Licence texts of what is linked in, each once, with the crates that it is of."""
    owners: dict[str, list[str]] = {}
    for one in linked():
        folder = Path(one["manifest_path"]).parent
        files = [
            file
            for file in sorted(folder.iterdir())
            if re.match(r"(?i)(licen[cs]e|copying|notice|unlicense)", file.name)
        ]
        name = f"{one['name']} {one['version']} ({one['license']})"
        for file in (file for file in files if file.is_file()):
            owners.setdefault(file.read_text(encoding="utf-8", errors="replace").strip(), []).append(name)
        if not files:
            owners.setdefault(f"(no text in its source; {one['repository']})", []).append(name)
    blocks = [f"{', '.join(names)}\n\n{text}\n" for text, names in sorted(owners.items(), key=lambda one: one[1])]
    return f"\n{'-' * 80}\n\n".join(blocks)


def _installed(name: str) -> bool:
    try:
        distribution(name)
    except ModuleNotFoundError:
        return False
    return True


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()
