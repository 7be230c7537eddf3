"""What the live viewer asks of a file: a page at a time, and nothing in an address goes wrong."""

import json
from pathlib import Path
from typing import Any

import pytest

from report.export_samples import HOSTILE
from report.html.timeline_events import write_events
from samples import SECOND
from wsload.errors import RunFileError
from wsload.report.web.messages import MAX_SEARCH, PAGE, look_up


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1,000 events of ten connections, a tenth of a second apart: sent and received in turn, the last one hostile."""
    return write_events(tmp_path_factory.mktemp("events") / "a.wsload", 1_000)


def asked(path: Path, **wanted: str) -> dict[str, Any]:
    told = look_up(path, wanted)
    json.dumps(told)
    return told


def times(told: dict[str, Any]) -> list[int]:
    return [event["t"] * 10 // SECOND for event in told["events"]]


def test_a_page_of_them_and_where_it_goes_on(path: Path) -> None:
    first = asked(path)
    assert times(first) == list(range(PAGE))
    assert (first["more"], first["total"]) == (True, 1_000)
    at, number = first["last"]
    second = asked(path, at=str(at), id=str(number))
    assert times(second) == list(range(PAGE, 2 * PAGE))


def test_the_newest_come_last(path: Path) -> None:
    assert times(asked(path, follow="on")) == list(range(1_000 - PAGE, 1_000))


def test_what_has_come_since(path: Path) -> None:
    assert times(asked(path, follow="on", seen="997")) == [997, 998, 999]
    nothing = asked(path, follow="on", seen="1000")
    assert (nothing["events"], nothing["last"], nothing["more"]) == ([], None, False)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"search": "number 7!"}, [7]),
        ({"search": "NUMBER 7!"}, [7]),
        ({"search": "%"}, []),
        ({"search": "' OR 1=1 --"}, []),
        ({"search": "<script>"}, [999]),
        ({"search": "odd one", "from": "99.5 s"}, [995, 997, 999]),
        ({"connection": "3", "from": "99s"}, [993]),
        ({"connection": " #3", "from": "99"}, [993]),
        ({"connection": "3", "direction": "in", "from": "97"}, [973, 983, 993]),
        ({"connection": "3", "direction": "out"}, []),
        ({"direction": "none"}, []),
        ({"direction": "sideways"}, []),
        ({"opcode": "binary"}, [500]),
        ({"opcode": "text'"}, []),
    ],
)
def test_conditions_are_those_of_the_page(path: Path, wanted: dict[str, str], found: list[int]) -> None:
    assert times(asked(path, **wanted)) == found


@pytest.mark.parametrize(
    "wanted",
    [
        {"connection": "x"},
        {"connection": "-1"},
        {"connection": "9" * 400},
        {"connection": "٣"},
        {"search": "x" * 10**6},
        {"at": "1", "id": "9" * 30, "connection": "none"},
        {"from": "1e400", "connection": "none"},
        {"from": "nan", "connection": "none"},
        {"seen": "-5", "connection": "none"},
    ],
)
def test_what_makes_no_sense_finds_nothing_and_breaks_nothing(path: Path, wanted: dict[str, str]) -> None:
    assert asked(path, **wanted)["events"] == []
    assert MAX_SEARCH < 10**6


def test_a_page_of_great_payloads_is_bounded(tmp_path: Path) -> None:
    path = write_events(tmp_path / "great.wsload", 300, padding="<" * 16_000)
    assert len(json.dumps(asked(path))) < 1_000_000


def test_payloads_are_told_as_they_are(path: Path) -> None:
    (event,) = asked(path, search="<script>")["events"]
    assert HOSTILE in event["text"]
    (binary,) = asked(path, opcode="binary")["events"]
    assert binary["base64"] == "AAH/"


def test_a_file_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(RunFileError, match="no such file"):
        look_up(tmp_path / "none.wsload", {})
