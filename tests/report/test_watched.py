"""What was watched, in words."""

from io import StringIO

from report.summaries import summary
from wsload.report.terminal import print_summary
from wsload.report.watched import reading_words, watched_words
from wsload.results.watched import Watched


def watched(name: str, *values: float) -> Watched:
    first, last, least, most = values
    return Watched(source="target", name=name, first=first, last=last, least=least, most=most)


def test_readings_have_units() -> None:
    assert reading_words("rss_bytes", 61_200_000) == "61.2 MB"
    assert reading_words("cpu_cores", 0.254) == "0.25 cores"
    assert reading_words("fds", 2014) == "2,014"
    assert reading_words("process_cpu_seconds_total", 90.5) == "1 min 30 s"
    assert reading_words("load", 0.25) == "0.25"


def test_first_last_and_most_are_told_where_they_differ() -> None:
    found = [watched("rss_bytes", 6e7, 7e7, 5e7, 9e7), watched("fds", 12, 14, 12, 14), watched("threads", 4, 4, 4, 4)]
    assert watched_words(found, "target") == [
        "memory 60.0 MB to 70.0 MB, at most 90.0 MB",
        "descriptors 12 to 14",
        "threads 4",
    ]
    assert watched_words(found, "generator") == []


def test_the_summary_says_what_was_watched_and_escapes_it() -> None:
    found = [watched("evil\x1b[31m", 1, 1, 1, 1)]
    out = StringIO()
    made = summary(watching=["process 7 (a\x1b[0mb) and its children"], watched=[one.model_dump() for one in found])
    print_summary(made, out)
    lines = [line for line in out.getvalue().splitlines() if line.startswith("  watched")]
    assert len(lines) == 1
    assert "process 7" in lines[0]
    assert "\x1b" not in out.getvalue()
    out = StringIO()
    print_summary(summary(), out)
    assert "watched" not in out.getvalue()
