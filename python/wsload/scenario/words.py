"""What people write for the parts of a scenario, whether as a flag, in a file or as a keyword of Python."""

from wsload.scenario.model import Stage
from wsload.scenario.parts import ExponentialThink, FixedThink, Reconnect, Think, UniformThink, Waits
from wsload.units import UnitError, parse_duration, parse_rate

MAX_ATTEMPTS = 1_000_000
FOREVER = 2**32 - 1
"""More attempts than anybody lives to see, at the longest pause between them."""


def parse_stage(text: str) -> Stage:
    """A stage: `30s:20k/s`."""
    duration, found, rate = text.partition(":")
    remedy = "Write TIME:RATE, such as 30s:20k/s, or 0s:40k/s for a step."
    if not found:
        raise UnitError(f"{text!r} has no ':'", remedy)
    for part, parse, at in ((duration, parse_duration, 1), (rate, parse_rate, len(duration) + 2)):
        try:
            parse(part)
        except UnitError as error:
            raise UnitError(f"{text!r}, character {at}: {error.what}", remedy) from None
    return Stage(duration_ns=parse_duration(duration), target_per_s=parse_rate(rate))


def parse_think(text: str) -> Think:
    """A law of waits: `1s`, `uniform:1s,3s`, `exp:2s`."""
    law, found, times = text.partition(":")
    spans = [parse_duration(part) for part in (times if found else law).split(",")]
    match (law if found else "fixed"), spans:
        case "fixed", [span]:
            return FixedThink(span_ns=span)
        case "uniform", [low, high] if low <= high:
            return UniformThink(low_ns=low, high_ns=high)
        case "exp" | "exponential", [mean]:
            return ExponentialThink(mean_ns=mean)
    raise UnitError(f"{text!r} is no wait", "Write 1s, uniform:1s,3s or exp:2s.")


def parse_reconnect(text: str) -> Reconnect:
    """`never`, `forever`, `storm`, or a number of attempts to connect again."""
    known = {
        "never": Reconnect(),
        "forever": Reconnect(attempts=FOREVER),
        "storm": Reconnect(attempts=FOREVER, storm=True),
    }
    if text in known:
        return known[text]
    if not text.isdecimal() or not 1 <= int(text) <= MAX_ATTEMPTS:
        remedy = f"Write 5 for five attempts (at most {MAX_ATTEMPTS:,})."
        raise UnitError(f"{text!r} is neither never, forever, storm nor a number of attempts", remedy)
    return Reconnect(attempts=int(text))


def parse_close_codes(text: str) -> tuple[int, int]:
    """`1000` as (1000, 1000), `4000-4099` as (4000, 4099); 1005 is no code, 1006 no Close at all."""
    low, _, high = text.partition("-")
    remedy = "Write 1000, or 4000-4099 for all between. 1005 stands for no code, 1006 for an end without a Close."
    try:
        found = (int(low), int(high or low))
    except ValueError:
        raise UnitError(f"{text!r} is neither a close code nor a range of them", remedy) from None
    if not 1000 <= found[0] <= found[1] <= 4999:
        raise UnitError(f"{text!r}: close codes go from 1000 to 4999", remedy)
    return found


def parse_waits(text: str) -> Waits:
    """`1s,30s`: the longest wait before the first attempt, and the longest at all."""
    spans = [parse_duration(part) for part in text.split(",")]
    if len(spans) != 2:
        raise UnitError(f"{text!r} are no two waits", "Write the first and the longest, such as 1s,30s.")
    return Waits(first_ns=spans[0], longest_ns=spans[1])


def parse_seed(text: str) -> int:
    """A seed in the form in which results print it."""
    try:
        value = int(text, 16)
    except ValueError:
        value = -1
    if not 0 <= value < 1 << 64:
        raise UnitError(f"{text!r} is no hexadecimal number of 1 to 16 digits", "Try 7f3a.")
    return value
