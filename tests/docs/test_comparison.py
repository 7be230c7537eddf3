"""The page beside other tools says what was measured, and nothing else."""

import re

from servers import ROOT

PAGE = (ROOT / "docs" / "comparison.md").read_text(encoding="utf-8")
MEASURED = (ROOT / "benchmarks" / "PEERS.md").read_text(encoding="utf-8")
CLOSED = "Closed loop, 64 connections, 1 in flight"
OPEN = "Open loop, 1,000 connections, 20,000 messages/s asked"
STALLS = "Response times reported of a server that stands still for 200 ms every 2 s, ms"
COLUMNS = (
    (CLOSED, 2),
    (OPEN, 2),
    (OPEN, 4),
    (STALLS, 3),
    ("Memory of idle connections", 1),
    ("Exit code when every connection is refused", 1),
)
"""Which section of the measured page, and which of its columns, each column of ours is."""


def rows(text: str) -> list[list[str]]:
    """A table's rows, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip().replace("*", "") for cell in line.strip("|").split("|")] for line in lines[2:]]


def measured(title: str, place: int) -> dict[str, str]:
    """A column of the measured page by tool, without the ranges."""
    section = MEASURED.partition(f"### {title}\n")[2].partition("\n### ")[0]
    return {row[0]: re.sub(r" \[.*\]", "", row[place]) for row in rows(section)}


def test_every_cell_is_a_measured_one() -> None:
    found = [measured(*column) for column in COLUMNS]
    table = rows(PAGE)
    assert len(table) == 12
    for tool, *cells in table:
        assert cells == [column.get(tool, "–") for column in found], tool


def test_no_tool_that_was_measured_is_left_out() -> None:
    tools = set().union(*(measured(*column) for column in COLUMNS)) - {"floor", "truth"}
    assert tools == {row[0] for row in rows(PAGE)}


def test_figures_in_words_are_measured_ones() -> None:
    assert measured(STALLS, 3)["truth"] in PAGE.partition("|---")[0]
    assert f"({measured('Closed loop, 64 connections, 16 in flight', 2)['gcannon']} of wsload's CPU)" in PAGE
    assert f"tcpkali sent {measured(OPEN, 4)['tcpkali']} messages" in PAGE
    assert float(measured(CLOSED, 2)["gcannon"]) < 1
