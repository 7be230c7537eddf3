"""A resolved scenario as a person reads it: target, load, users with their steps, variables with secrets masked."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from wsload.report.text import printable, shortened
from wsload.scenario import Scenario, build_plan, redact_url
from wsload.scenario.parts import REDACTED, ExponentialThink, FixedThink, JsonKey, RegexKey, Think, UniformThink
from wsload.scenario.plan import ClosedLoad, IdleLoad, OpenLoad, Plan, ReplayLoad
from wsload.scenario.program import (
    Capture,
    CloseStep,
    Condition,
    Expect,
    ExpectStep,
    ForEachStep,
    IfStep,
    JsonCapture,
    JsonCondition,
    JsonTest,
    NotCondition,
    OnClose,
    Program,
    RegexCapture,
    RepeatStep,
    Reply,
    SendStep,
    SetStep,
    SizeCondition,
    Step,
    Test,
    ThinkStep,
    TypeCondition,
    WaitForStep,
)
from wsload.units import format_count, format_duration, format_rate

MAX_SHOWN = 100


def plan_text(scenario: Scenario) -> str:
    """The plan in lines, each safe to print."""
    plan = build_plan(scenario)
    lines = list(_lines(scenario, plan.redacted(), _row_count(plan)))
    lines += [f"warning: {text}" for text in warnings(plan)]
    return "\n".join(printable(line) for line in lines)


def _row_count(plan: Plan) -> int:
    return len(plan.program.data.rows) if plan.program and plan.program.data else 0


def warnings(plan: Plan) -> list[str]:
    """What the plan can hardly do."""
    load, program = plan.load, plan.program
    if not isinstance(load, OpenLoad) or program is None:
        return []
    weights = sum(user.weight for user in program.users)
    busy_ns = sum(user.weight * _think_ns(user.iterate) for user in program.users) / weights
    peak = max([load.rate_per_s, *(stage.target_per_s for stage in load.stages)])
    needed = peak * busy_ns / 1e9
    if needed <= plan.connections:
        return []
    carried = format_rate(plan.connections / busy_ns * 1e9)
    text = (
        f"{format_count(plan.connections)} connections cannot carry {format_rate(peak)}: an iteration thinks for"
        f" {format_duration(round(busy_ns))}, so they carry {carried} at most."
        f" Take {format_count(int(needed) + 1)} connections, or think less."
    )
    return [text]


def _think_ns(steps: Sequence[Step]) -> float:
    total = 0.0
    for step in steps:
        match step:
            case ThinkStep(law=FixedThink(span_ns=span)):
                total += span
            case ThinkStep(law=UniformThink(low_ns=low, high_ns=high)):
                total += (low + high) / 2
            case ThinkStep(law=ExponentialThink(mean_ns=mean)):
                total += mean
            case RepeatStep():
                total += step.times * _think_ns(step.steps)
            case ForEachStep():
                total += len(step.values) * _think_ns(step.steps)
            case IfStep():
                total += min(_think_ns(step.then), _think_ns(step.otherwise))
    return total


def _lines(scenario: Scenario, plan: Plan, rows: int) -> Iterator[str]:
    if scenario.origin_file and scenario.origin_file.name:
        yield f"scenario     {scenario.origin_file.name}"
    yield f"target       {redact_url(scenario.target)}"
    for name, value in plan.handshake.headers:
        yield f"header       {name}: {value}"
    for name, _ in plan.handshake.cookies:
        yield f"cookie       {name}={REDACTED}"
    if plan.handshake.subprotocols:
        yield f"subprotocols {', '.join(plan.handshake.subprotocols)}"
    yield f"load         {_load(plan)}"
    yield f"seed         {plan.seed:x}"
    if plan.program:
        yield from _variables(plan.program, rows)
        yield from _users(plan.program)
    for text in scenario.thresholds:
        yield f"threshold    {text}"


def _variables(program: Program, rows: int) -> Iterator[str]:
    if program.data:
        how = f"{program.data.order}, then {program.data.exhausted}"
        yield f"data         {format_count(rows)} rows, one for each {program.data.bind}, {how}"
    columns = set(program.data.columns) if program.data else set()
    for place, one in enumerate(program.variables):
        value = "from the data" if place in columns else "set by a step" if one.value is None else repr(one.value)
        hidden = one.secret and one.value is not None
        yield f"variable     {one.name} = {REDACTED if hidden else shortened(value, MAX_SHOWN)}"


def _users(program: Program) -> Iterator[str]:
    if program.script:
        paced = "iterations paced by the load" if program.script.iterates else "no iterations: it paces itself"
        yield f"script       {program.script.function} in {Path(program.script.path).name}, {paced}"
        for name in program.names:
            yield f"exchange     {name.name}{'' if name.total else ', beside the iterations'}"
    for user in program.users:
        share = f", weight {user.weight}" if len(program.users) > 1 else ""
        failed = {
            "ignore": "goes on after a failed step",
            "next": "goes on with the next iteration after a failed step",
            "reconnect": "reconnects after a failed step",
            "abort": "ends after a failed step",
        }[user.on_error]
        if not program.script:
            yield f"{user.name}{share}: {failed}"
        for title, steps in (("on_open", user.on_open), ("iterate", user.iterate)):
            if steps:
                yield f"  {title}"
                yield from step_lines(program, steps, 4)
        for rule in user.on_message:
            tail = ", passed on" if rule.pass_on else ""
            yield f"  on_message when {_conditions(rule.when)}{_captures(program, rule.captures)}{tail}"
            yield from step_lines(program, rule.steps, 4)
        for close in user.on_close:
            yield f"  on_close {_close_words(close)}: {close.then}"
        for every in user.every:
            yield f"  every {format_duration(every.period_ns)}"
            yield from step_lines(program, every.steps, 4)


def _load(plan: Plan) -> str:
    parts = [f"{format_count(plan.connections)} connections"]
    if plan.connect_rate_per_s:
        parts.append(f"opened at {format_rate(plan.connect_rate_per_s)}")
    match plan.load:
        case OpenLoad(rate_per_s=rate, stages=stages, arrivals=arrivals):
            at = " → ".join(
                f"{format_rate(one.target_per_s)} over {format_duration(one.duration_ns)}" for one in stages
            )
            parts.append(f"{at or format_rate(rate)}, {arrivals}")
        case ClosedLoad(in_flight=in_flight):
            parts.append(f"closed loop, {in_flight} in flight")
        case IdleLoad():
            parts.append("nothing scheduled")
        case ReplayLoad(speed=speed):
            parts.append(f"a recording, {f'{speed:g} times as fast' if speed else 'as fast as it goes'}")
    if plan.duration_ns is not None:
        parts.append(f"for {format_duration(plan.duration_ns)}")
    if plan.iterations is not None:
        parts.append(f"{format_count(plan.iterations)} iterations")
    return ", ".join(parts)


def step_lines(program: Program, steps: Sequence[Step], indent: int) -> Iterator[str]:
    """Steps, one a line."""
    pad = " " * indent
    for step in steps:
        yield pad + words_of(program, step)
        for name, inner in parts_of(step):
            if name == "otherwise" and inner:
                yield f"{pad}else"
            yield from step_lines(program, inner, indent + 2)


def parts_of(step: Step) -> Iterator[tuple[str, Sequence[Step]]]:
    """Steps inside a step, by the field that holds them."""
    for name in ("steps", "then", "otherwise"):
        if name in type(step).model_fields:
            yield name, getattr(step, name)


def words_of(program: Program, step: Step) -> str:  # noqa: PLR0911 - one case each
    """A step in a line, without those inside it."""
    match step:
        case SendStep(message=message):
            one = program.messages[message]
            body = one.payload.decode() if one.kind == "text" else f"{len(one.payload)} bytes, {one.payload[:16].hex()}"
            return f"send {program.names[one.name].name}: {shortened(body, MAX_SHOWN)}{_reply(one.reply)}"
        case ExpectStep(expect=expect) | WaitForStep(expect=expect):
            return f"{step.do} {_expect(program, expect)}"
        case ThinkStep(law=law):
            return f"think {_law(law)}"
        case RepeatStep():
            return f"repeat {step.times} times"
        case ForEachStep():
            values = shortened(", ".join(step.values), MAX_SHOWN)
            return f"for each {program.variables[step.variable].name} of {values}"
        case IfStep():
            return f"if {step.value} {_test(step.test)}"
        case SetStep():
            return f"set {program.variables[step.variable].name} = {shortened(step.value, MAX_SHOWN)}"
        case CloseStep():
            return f"close {step.code} {step.reason}".rstrip()
    return step.do


def _reply(reply: Reply | None) -> str:
    if reply is None:
        return ""
    if reply.key is None:
        how = "the next message"
    elif reply.key.sent == reply.key.received:
        how = f"the same {_key(reply.key.sent)}"
    else:
        how = f"{_key(reply.key.received)} = {_key(reply.key.sent)} of ours"
    return f"  ← {how} within {format_duration(reply.within_ns)}"


def _key(key: object) -> str:
    match key:
        case JsonKey(path=text) | RegexKey(expression=text):
            return text
    return "payload"


def _expect(program: Program, expect: Expect) -> str:
    what = _conditions(expect.conditions) or "any message"
    if expect.nothing:
        what = f"no message {what}" if expect.conditions else "nothing"
    times = f" × {expect.count}" if expect.count > 1 else ""
    if expect.order:
        times += f" in the order of {expect.order}"
    return f"{what}{times} within {format_duration(expect.within_ns)}{_captures(program, expect.captures)}"


def _conditions(conditions: Sequence[Condition]) -> str:
    return " and ".join(_condition(one) for one in conditions)


def _condition(condition: Condition) -> str:
    """As it would be said: `$.type == "welcome"`."""
    ((kind, value),) = condition.model_dump(mode="json", by_alias=True).items()
    match condition:
        case JsonCondition(test_of=JsonTest(path=path, test=test)):
            return f"{path} {_test(test)}"
        case NotCondition(negated=inner):
            return f"not {_condition(inner)}"
        case TypeCondition():
            return f"a {value} message"
        case SizeCondition():
            return f"{value['min']} to {value['max']} bytes"
    return f"{kind} {shortened(json.dumps(value, ensure_ascii=False), MAX_SHOWN)}"


SIGNS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


def _test(test: Test) -> str:
    if isinstance(test, str):
        return test
    ((kind, value),) = test.model_dump(mode="json").items()
    return f"{SIGNS.get(kind, kind)} {shortened(json.dumps(value, ensure_ascii=False), MAX_SHOWN)}"


def _dump(value: object) -> str:
    dumped = value.model_dump(mode="json", by_alias=True) if hasattr(value, "model_dump") else value
    return shortened(json.dumps(dumped, ensure_ascii=False), MAX_SHOWN)


def _close_words(close: OnClose) -> str:
    ranges = [str(low) if low == high else f"{low} to {high}" for low, high in close.codes]
    reason = f' with "{close.reason}" in the reason' if close.reason else ""
    return (" or ".join(ranges) or "any code") + reason


def _captures(program: Program, captures: Sequence[Capture]) -> str:
    def source(one: Capture) -> str:
        match one.source:
            case JsonCapture(query=text) | RegexCapture(regex=text):
                return text
        return _dump(one.source)

    found = [f"{program.variables[one.variable].name} = {source(one)}" for one in captures]
    return f", keep {', '.join(found)}" if found else ""


def _law(law: Think) -> str:
    match law:
        case FixedThink(span_ns=span):
            return format_duration(span)
        case UniformThink(low_ns=low, high_ns=high):
            return f"{format_duration(low)} to {format_duration(high)}"
    return f"{format_duration(law.mean_ns)} on average"
