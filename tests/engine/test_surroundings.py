"""What is noticed of a run's surroundings, and told once."""

from collections.abc import Iterable

from wsload.engine.surroundings import MAX_CERTIFICATES, Surroundings, time_asleep_ns
from wsload.results import Interval

FIRST, SECOND = "aa" * 32, "bb" * 32


def interval(*certificates: str) -> Interval:
    return Interval(
        index=0,
        warmup=False,
        start_ns=0,
        end_ns=10**9,
        counters={},
        gauges={},
        close_codes={},
        failures=(),
        negotiated={("tls_handshake", "full"): 9} | {("certificate", shown): 1 for shown in certificates},
        histograms={},
    )


def heard(shown: Iterable[tuple[str, ...]], asleep_ns: Iterable[int] | None = None) -> list[list[tuple[str, str]]]:
    clock = iter(asleep_ns or [0] * 1_000)
    surroundings = Surroundings(lambda: next(clock))
    return [surroundings.hear(interval(*certificates)) for certificates in shown]


def test_another_certificate_is_told_once() -> None:
    text = f"the server shows another certificate: SHA-256 {SECOND[:16]}…, before {FIRST[:16]}…"
    notes = heard([(), (FIRST,), (FIRST,), (FIRST, SECOND), (SECOND,), (FIRST,)])
    assert notes == [[], [], [], [("certificate", text)], [], []]


def test_a_server_with_many_certificates_does_not_fill_the_file() -> None:
    notes = heard([(f"{number:064x}",) for number in range(100)])
    assert sum(map(len, notes)) == MAX_CERTIFICATES - 1


def test_a_suspended_machine_is_told_with_how_long() -> None:
    hour_ns = 3_600 * 10**9
    notes = heard([()] * 4, [5, 5, 5 + hour_ns, 5 + hour_ns, 5 + hour_ns + 50_000_000])
    text = "this machine was suspended for 1 h, which is in no latency and no rate"
    assert notes == [[], [("suspended", text)], [], []]


def test_the_time_asleep_is_what_the_two_clocks_differ_by() -> None:
    first_ns = time_asleep_ns()
    assert abs(time_asleep_ns() - first_ns) < 10**9
