"""What a run will take."""

import json
from pathlib import Path
from statistics import median

import pytest

from engine.support import make_plan
from wsload.engine import forecast as constants
from wsload.engine.forecast import Kind, forecast
from wsload.scenario import LoadModel, Plan, Scenario, build_plan, parse_compression

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "memory"


def test_parts_add_up() -> None:
    found = forecast(50_000, 3, Kind(tls=True))
    assert found.processes_bytes == 44_000_000 + 3 * 16_000_000
    assert found.connections_bytes == 50_000 * (350 + 4_210)
    assert found.kernel_bytes == 50_000 * 4_980
    assert found.total_bytes == 92_000_000 + 228_000_000 + 249_000_000
    assert found.bytes_each == 350 + 4_210 + 4_980


def test_a_timeline_has_a_bound_for_each_worker() -> None:
    def recorded(connections: int, workers: int) -> int:
        plain, recording = (forecast(connections, workers, Kind(recording=given)) for given in (False, True))
        return recording.total_bytes - plain.total_bytes

    assert recorded(1_000, 2) == 530_000
    assert recorded(100_000, 2) == 20_000_000


def compressed(text: str) -> Plan:
    load = LoadModel(connections=1, duration_ns=10**9)
    return build_plan(Scenario(target="ws://127.0.0.1/", load=load, compression=parse_compression(text), record=None))


@pytest.mark.parametrize(
    ("plan", "kind"),
    [
        (make_plan(), Kind(recording=True)),
        (make_plan("wss://127.0.0.1/"), Kind(tls=True, recording=True)),
        (compressed("on"), Kind(deflate=True)),
        # One side that keeps its context has one.
        (compressed("client_no_context_takeover"), Kind(deflate=True)),
        (compressed("server_no_context_takeover,client_no_context_takeover"), Kind()),
    ],
)
def test_what_bears_on_memory_is_read_from_the_plan(plan: Plan, kind: Kind) -> None:
    assert Kind.of(plan) == kind


def test_the_constants_are_what_was_measured() -> None:
    """Slopes of the newest results: within a tenth of the constants."""
    held = json.loads(max(RESULTS.glob("*.json")).read_text(encoding="utf-8"))["held"]

    def slope(name: str, whose: str) -> float:
        few, many = map(int, held[name])
        first, second = (median(one[whose] for one in rounds) for rounds in held[name].values())
        return float(second - first) / (many - few)

    plain = slope("plain, used", "worker_bytes")
    assert plain == pytest.approx(constants.PLAIN_BYTES, rel=0.1)
    assert slope("TLS, used", "worker_bytes") - plain == pytest.approx(constants.TLS_BYTES, rel=0.1)
    assert slope("deflate, used", "worker_bytes") - plain == pytest.approx(constants.DEFLATE_BYTES, rel=0.1)
    assert slope("plain, used, recording", "worker_bytes") - plain == pytest.approx(constants.RECORDING_BYTES, rel=0.1)
    # Both ends of a connection are this machine's.
    assert slope("plain, used", "kernel_bytes") / 2 == pytest.approx(constants.KERNEL_BYTES, rel=0.1)
