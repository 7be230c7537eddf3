"""What is written is what is there."""

import re
from pathlib import Path

import write_cli

ROOT = Path(__file__).parents[2]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_page_of_flags_is_the_help() -> None:
    assert text("docs/cli.md") == write_cli.page()


def test_every_make_word_of_the_readme_exists() -> None:
    words = set(re.findall(r"`?make ([a-z]+)", text("README.md") + text("CONTRIBUTING.md") + text(".ci/run")))
    targets = set(re.findall(r"^([a-z]+):", text("Makefile"), re.MULTILINE))
    assert words <= targets, words - targets
    assert {"demo", "test", "check", "bench", "help"} <= words


def test_every_flag_of_the_readme_exists() -> None:
    used = set(re.findall(r"(?<!\w)(--[a-z][a-z-]+)", text("README.md"))) - {"--help"}
    assert used <= set(re.findall(r"--[a-z-]+", text("docs/cli.md")))


def test_every_link_leads_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        for link in re.findall(r"\]\(([^)#:]+)\)", prose):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_the_run_file_page_names_every_table() -> None:
    tables = re.findall(r"CREATE TABLE (\w+)", text("python/wsload/results/schema.sql"))
    assert all(f"| `{table}` |" in text("docs/run-file.md") for table in tables)
