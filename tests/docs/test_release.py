"""What a release claims of itself: licences, versions, and a container file whose parts are there."""

import importlib.util
import json
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from wsload import __version__

ROOT = Path(__file__).parent.parent.parent


def script(name: str) -> ModuleType:
    """A script of the project, as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


licences, check_release = script("licences"), script("check_release")
CONTAINER = (ROOT / "Containerfile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def test_the_list_of_licences_is_up_to_date() -> None:
    assert (ROOT / "docs" / "licences.md").read_text(encoding="utf-8") == licences.listed(), "run `make docs`"


def test_what_only_builds_or_tests_is_not_listed_and_what_is_linked_is() -> None:
    names = {one["name"] for one in licences.linked()}
    assert {"pyo3", "rustls", "ring", "hdrhistogram", "zlib-rs"} <= names
    assert not {"proptest", "tungstenite", "serde_derive", "cc", "wsload-core", "windows-sys"} & names


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ("MIT", "MIT"),
        ("MIT/Apache-2.0", "MIT OR Apache-2.0"),
        ("GPL-3.0-only OR MIT", "GPL-3.0-only OR MIT"),
        ("(Apache-2.0 AND ISC) OR GPL-2.0", "(Apache-2.0 AND ISC) OR GPL-2.0"),
        ("Apache-2.0 WITH LLVM-exception", "Apache-2.0 WITH LLVM-exception"),
    ],
)
def test_a_choice_with_a_permissive_side_is_allowed(licence: str, expected: str) -> None:
    assert licences.allowed("some", licence) == expected


@pytest.mark.parametrize("licence", ["GPL-3.0-only", "MIT AND GPL-2.0", "", "Proprietary"])
def test_any_other_licence_ends_it_with_the_name(licence: str) -> None:
    with pytest.raises(SystemExit, match="some: licence"):
        licences.allowed("some", licence)


def test_every_linked_crate_but_those_without_one_brings_its_text() -> None:
    text = licences.texts()
    for one in licences.linked():
        assert f"{one['name']} {one['version']} (" in text
    assert text.count("Permission is hereby granted") > 20


def test_versions_agree() -> None:
    assert check_release.versions() == __version__ == check_release.cargo_version()


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("wsload-0.1.0-cp311-abi3-manylinux_2_34_x86_64.whl", True),
        ("wsload-0.1.0-cp311-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", True),
        ("wsload-0.1.0-cp311-abi3-linux_x86_64.whl", False),
        ("wsload-0.1.0-cp311-cp311-manylinux_2_34_x86_64.whl", False),
    ],
)
def test_a_wheel_for_others_is_known_by_its_name(name: str, fits: bool) -> None:
    assert bool(check_release.WHEEL.fullmatch(name)) == fits


def test_the_container_is_built_from_what_there_is() -> None:
    ignored = (ROOT / ".containerignore").read_text(encoding="utf-8").splitlines()
    for line in re.findall(r"^COPY (?!--from)(.*)", CONTAINER, re.MULTILINE):
        for name in line.split()[:-1]:
            assert (ROOT / name).exists(), name
            assert f"!{name}" in ignored, name


def test_the_container_has_a_rust_and_a_python_that_suffice() -> None:
    rust, python = re.findall(r"^FROM (?:rust|python):([\d.]+)", CONTAINER, re.MULTILINE)
    cargo = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))
    assert version(rust) >= version(cargo["workspace"]["package"]["rust-version"])
    assert version(python) >= version(PROJECT["requires-python"].removeprefix(">="))


def test_the_container_starts_the_command_without_rights() -> None:
    (entry,) = re.findall(r"^ENTRYPOINT (.*)", CONTAINER, re.MULTILINE)
    assert set(json.loads(entry)) <= set(PROJECT["scripts"])
    assert CONTAINER.index("\nUSER wsload") < CONTAINER.index("\nENTRYPOINT")
