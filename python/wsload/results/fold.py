"""Intervals added up to a summary, whether they come from the engine or from a file."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Literal

from wsload import _core
from wsload.errors import RunFileError, UsageError
from wsload.results.file import Note, RunFile
from wsload.results.header import Header
from wsload.results.interval import BY_CLOCK, CENSORED, Failure, Interval
from wsload.results.join import doubts_of
from wsload.results.summary import (
    Agreement,
    Asides,
    CompressionSummary,
    Connections,
    FailureSummary,
    FanOut,
    Generator,
    Iterations,
    Messages,
    NameSummary,
    NoteSummary,
    Outcome,
    Pings,
    Rate,
    Recovery,
    Security,
    Stats,
    Summary,
    Warmup,
)
from wsload.results.thresholds import Sums, ThresholdResult, judge_threshold, wanted
from wsload.results.verdict import Facts, Verdict, judge, local_limits
from wsload.results.watched import WatchFold, readings
from wsload.scenario import (
    KeyMatching,
    OpenLoad,
    Plan,
    ReplayLoad,
    Threshold,
    parse_authority,
    parse_thresholds,
)
from wsload.scenario.parts import JsonKey, KeySpec, RegexKey

TOTALS = (
    "response_time",
    "service_time",
    "send_lag",
    "receive_lag",
    "connect",
    "connect_dns",
    "connect_tcp",
    "connect_tls",
    "connect_upgrade",
    "ping_time",
    "recover_time",
    "push_gap",
    "fan_out_first",
    "fan_out_each",
    "fan_out_last",
)
PER_NAME = ("response_time", "service_time", *CENSORED.values())
UNCERTAIN = ("response_uncertain", "response_earliest")


def aside_names(plan: Plan) -> frozenset[str]:
    """Names of the messages beside the iterations, which are in no total."""
    return frozenset(name.name for name in plan.program.names if not name.total) if plan.program else frozenset()


def merged(interval: Interval, metric: str, asides: Collection[str] = ()) -> _core.Histogram:
    """One metric of one interval over all message names but those beside the iterations."""
    histogram = _core.Histogram()
    for (name, message), encoded in interval.histograms.items():
        if name == metric and message not in asides:
            histogram.add(encoded)
    return histogram


def interval_stats(interval: Interval, metric: str, asides: Collection[str] = ()) -> Stats | None:
    """The statistics of one metric in one interval, over all message names but those beside the iterations."""
    censored = merged(interval, CENSORED[metric], asides) if metric in CENSORED else None
    return Stats.of(merged(interval, metric, asides), censored)


class Fold:
    """Adds intervals up. Memory does not grow with the number of intervals.

    `thresholds`: what the sum is held against; None: what the run itself was.
    """

    def __init__(self, header: Header, thresholds: Sequence[Threshold] | None = None) -> None:
        self._header = header
        self._thresholds = tuple(parse_thresholds(header.thresholds) if thresholds is None else thresholds)
        self._measured: Counter[str] = Counter()
        self._warmup: Counter[str] = Counter()
        self._whole: Counter[str] = Counter()
        self._close_codes: Counter[int] = Counter()
        self._negotiated: Counter[tuple[str, str]] = Counter()
        self._failures: dict[tuple[str, str], Failure] = {}
        self._histograms = {metric: _core.Histogram() for metric in (*TOTALS, *CENSORED.values(), *UNCERTAIN)}
        program = header.plan.program
        self._asides = aside_names(header.plan)
        names = [name.name for name in program.names] if program else []
        self._by_name = {name: {metric: _core.Histogram() for metric in PER_NAME} for name in names}
        self._iteration_time = _core.Histogram()
        self._chosen = wanted(self._thresholds, self._histograms)
        self._message_names: set[str] = set()
        self._warmup_response = _core.Histogram()
        self._running_ns = 0
        self._stolen_ns = 0
        self._silence_ns = 0
        self._rss_bytes_max = 0
        self._watched = WatchFold()
        self._notes: list[Note] = []
        self._workers_lost = 0
        self._intervals = 0
        self._suspect_intervals = 0
        self._suspect_kinds: Counter[str] = Counter()
        self._first_suspect_ns: int | None = None

    def add(self, interval: Interval) -> None:
        """Adds an interval, each (index, warmup) once."""
        self._whole.update(interval.counters)
        self._close_codes.update(interval.close_codes)
        self._negotiated.update(interval.negotiated)
        self._rss_bytes_max = max(self._rss_bytes_max, interval.gauges.get("rss_bytes", 0))
        for failure in interval.failures:
            self._add_failure(failure)
        if interval.warmup:
            self._warmup.update(interval.counters)
        elif interval.start_ns >= 0:
            self._measured.update(interval.counters)
            self._running_ns += interval.gauges.get("running_ns", 0)
            self._stolen_ns += interval.gauges.get("stolen_ns", 0)
            self._silence_ns = max(self._silence_ns, interval.gauges.get("silence_ns", 0))
            self._add_suspicions(interval)
            if interval.gauges.get("running_ns"):
                # When the schedule is over connections close, and what they took is given back.
                seconds = (interval.end_ns - interval.start_ns) / 1e9
                self._watched.add(readings(interval.gauges, interval.counters, seconds))
        for (metric, message), encoded in interval.histograms.items():
            if not interval.warmup or message in self._asides:
                self._choose(metric, message, encoded)
            self._add_histogram(metric, message, encoded, warmup=interval.warmup)

    def _add_histogram(self, metric: str, message: str, encoded: bytes, *, warmup: bool) -> None:
        aside = message in self._asides
        if not warmup or aside:
            of_name = self._by_name.get(message, {})
            if metric in of_name:
                of_name[metric].add(encoded)
        if aside:
            return
        if not warmup or metric.startswith(BY_CLOCK):
            if metric in self._histograms:
                self._histograms[metric].add(encoded)
            elif metric == "iteration_time":
                self._iteration_time.add(encoded)
        elif metric == "response_time":
            self._warmup_response.add(encoded)

    def _choose(self, metric: str, message: str, encoded: bytes) -> None:
        if message:
            self._message_names.add(message)
        for key in {(metric, ""), (metric, message)} & self._chosen.keys():
            self._chosen[key].add(encoded)

    def _add_suspicions(self, interval: Interval) -> None:
        doubts = doubts_of(interval)
        self._intervals += doubts.intervals
        self._suspect_intervals += doubts.suspect
        self._suspect_kinds.update(doubts.kinds)
        if self._first_suspect_ns is None:
            self._first_suspect_ns = doubts.first_ns

    def note(self, note: Note) -> None:
        """Adds a note."""
        self._notes.append(note)
        self._workers_lost += note.kind == "worker_lost"

    def take_notes(self, notes: Iterable[Note]) -> None:
        """Takes these notes instead of those that it has."""
        self._notes, self._workers_lost = [], 0
        for note in notes:
            self.note(note)

    def has_result(self) -> bool:
        """Whether a connection opened and, where replies were awaited, one came."""
        if not self._whole["connects_opened"]:
            return False
        plan = self._header.plan
        if plan.program is not None:
            tried = self._whole["unanswered"] + self._whole["aside_unanswered"]
            came = self._whole["answered"] + self._whole["aside_answered"] + self._whole["received"]
            return came > 0 or not tried
        sends = plan.message is not None or isinstance(plan.load, ReplayLoad)
        awaited = sends and plan.matching != "none"
        if plan.publishers is not None:
            return self._whole["fan_out_delivered"] > 0 or not self._whole["sent"]
        return not awaited or not self._whole["sent"] or self._whole["answered"] > 0

    def thresholds(self) -> list[ThresholdResult]:
        """Every threshold held against what has been added so far."""
        sums = self._sums()
        return [judge_threshold(threshold, sums) for threshold in self._thresholds]

    def broken(self) -> ThresholdResult | None:
        """The first threshold that asks to end the run now: its time is over, and it does not hold.

        One that nothing was measured for yet can wait: a server that never answers comes up as replies time out. A run
        whose time is over anyway is not cut short.
        """
        duration_ns = self._header.plan.duration_ns
        if duration_ns is not None and self._running_ns >= duration_ns:
            return None
        sums = self._sums()
        for threshold in self._thresholds:
            if threshold.abort_after_ns is not None and self._running_ns >= threshold.abort_after_ns:
                result = judge_threshold(threshold, sums)
                if not result.passed and result.observed is not None:
                    return result
        return None

    def _sums(self) -> Sums:
        failures: Counter[str] = Counter()
        for failure in self._failures.values():
            failures[failure.kind] += failure.count
        return Sums(
            measured=self._measured,
            whole=self._whole,
            running_ns=self._running_ns,
            close_codes=self._close_codes,
            failures=failures,
            message_names=self._message_names,
            histograms={(metric, ""): total for metric, total in self._histograms.items()} | self._chosen,
        )

    def summary(self, outcome: Outcome, reason: str = "", file: Path | None = None) -> Summary:
        """The sum of what has been added so far."""
        header, plan = self._header, self._header.plan
        stats = {metric: self._stats(metric) for metric in TOTALS}
        return Summary(
            wsload_version=header.wsload_version,
            build_profile=header.build_profile,
            file=None if file is None else str(file),
            finished=outcome != "unfinished",
            outcome=outcome,
            outcome_reason=reason,
            started_at=header.started_at,
            target=header.target,
            labels=header.labels,
            seed=f"{plan.seed:x}",
            host=header.host,
            load=plan.load,
            grain_ns=plan.grain_ns,
            tls=self._security(),
            proxy=f"{plan.dials[0].host}:{plan.dials[0].port}" if plan.proxy else None,
            connected_to=self._connected_to(),
            matching=_matching_words(plan.matching),
            message_kind=plan.message.kind if plan.message else None,
            message_bytes=len(plan.message.payload) if plan.message and not plan.message.template else None,
            connect_timeout_ns=plan.connect_timeout_ns,
            reply_timeout_ns=plan.reply_timeout_ns,
            warmup_ns=plan.warmup_ns,
            duration_asked_ns=plan.duration_ns,
            iterations_asked=plan.iterations,
            duration_ns=self._running_ns,
            connections=self._connections(),
            messages=self._messages(),
            thresholds=self.thresholds(),
            verdict=self.verdict(),
            rate=self._rate(),
            failures=[
                FailureSummary(kind=f.kind, detail=f.detail, count=f.count, first_ns=f.first_ns, example=f.example)
                for f in sorted(self._failures.values(), key=lambda failure: -failure.count)
            ],
            close_codes=dict(sorted(self._close_codes.items())),
            iterations=self._iterations(),
            asides=self._aside_messages(),
            names=self._names(),
            negotiated=[
                Agreement(aspect=aspect, value=value, count=count)
                for (aspect, value), count in sorted(self._negotiated.items())
            ],
            compression=self._compression(),
            pings=self._pings(),
            recovery=self._recovery(),
            fan_out=self._fan_out(),
            warmup=self._warmup_summary(),
            generator=self._generator(),
            watching=header.watched,
            watched=self._watched.total(),
            notes=[NoteSummary(at_ns=note.at_ns, kind=note.kind, text=note.text) for note in self._notes],
            **stats,
        )

    def _add_failure(self, failure: Failure) -> None:
        key = (failure.kind, failure.detail)
        known = self._failures.get(key)
        if known is None:
            self._failures[key] = failure
            return
        first = min(known, failure, key=lambda one: one.first_ns)
        count = known.count + failure.count
        self._failures[key] = Failure(*key, count=count, first_ns=first.first_ns, example=first.example)

    def _connections(self) -> Connections:
        whole = self._whole
        return Connections(
            asked=self._header.plan.connections,
            opened=whole["connects_opened"] - whole["reconnects"],
            attempts_failed=whole["connects_failed"],
            reconnects=whole["reconnects"],
            expired=whole["connections_expired"],
            lost=whole["connections_lost"],
            matching_lost=whole["matching_lost"],
            closed=whole["connections_closed"],
        )

    def _rate(self) -> Rate:
        load = self._header.plan.load
        seconds = self._running_ns / 1e9

        def per_second(name: str) -> float:
            return round(self._measured[name] / seconds, 3) if seconds else 0.0

        return Rate(
            asked_per_s=load.rate_per_s if isinstance(load, OpenLoad) and not load.stages else None,
            reached_per_s=per_second("sent"),
            answered_per_s=per_second("answered"),
            received_per_s=per_second("received"),
            bytes_out_per_s=per_second("bytes_sent"),
            bytes_in_per_s=per_second("bytes_received"),
        )

    def _warmup_summary(self) -> Warmup | None:
        if not self._header.plan.warmup_ns:
            return None
        sent, answered, unanswered = (self._warmup[name] for name in ("sent", "answered", "unanswered"))
        response_time = Stats.of(self._warmup_response)
        return Warmup(sent=sent, answered=answered, unanswered=unanswered, response_time=response_time)

    def _stats(self, metric: str) -> Stats | None:
        censored = self._histograms[CENSORED[metric]] if metric in CENSORED else None
        return Stats.of(self._histograms[metric], censored)

    def _messages(self) -> Messages:
        counted = {name: self._measured[name] for name in Messages.model_fields if name != "longest_silence_ns"}
        return Messages(**counted, longest_silence_ns=self._silence_ns)

    def verdict(self) -> Verdict:
        """Whether the generator can be trusted with what has been added so far."""
        limits = local_limits((one.kind, one.detail, one.count) for one in self._failures.values())
        # What waited for a connection that was lost is a failure of the run.
        whole = self._whole["connects_failed"] + self._whole["connections_lost"] + self._whole["matching_lost"] == 0
        reasons = judge(
            Facts(
                is_open=self._header.plan.load.keeps_times,
                due=self._measured["due"],
                sent=self._measured["sent"],
                received=self._measured["received"],
                unsent_while_open=self._measured["unsent"] if whole else 0,
                back_pressure=self._measured["back_pressure"],
                stamps_missing=self._measured["stamps_missing"],
                stolen_ns=self._stolen_ns,
                cpu_capacity_ns=self._running_ns * self._header.host.cpus,
                local_limits=limits,
                workers_lost=self._workers_lost,
                response_time=self._histograms["response_time"],
                response_uncertain=self._histograms["response_uncertain"],
                response_earliest=self._histograms["response_earliest"],
                send_lag=self._histograms["send_lag"],
                receive_lag=self._histograms["receive_lag"],
            )
        )
        return Verdict(
            trusted=not reasons,
            reasons=reasons,
            intervals=self._intervals,
            suspect_intervals=self._suspect_intervals,
            suspect_kinds=dict(sorted(self._suspect_kinds.items())),
            first_suspect_ns=self._first_suspect_ns,
        )

    def _iterations(self) -> Iterations | None:
        ended = self._measured["iterations_ended"]
        if not ended:
            return None
        time = Stats.of(self._iteration_time)
        return Iterations(ended=ended, failed=self._measured["iterations_failed"], time=time)

    def _aside_messages(self) -> Asides | None:
        if self._header.plan.program is None:
            return None
        sent, answered, unanswered = (self._whole[f"aside_{what}"] for what in ("sent", "answered", "unanswered"))
        return Asides(sent=sent, answered=answered, unanswered=unanswered)

    def _names(self) -> list[NameSummary]:
        if len(self._by_name) < 2:
            return []
        return [
            NameSummary(
                name=name,
                in_total=name not in self._asides,
                response_time=Stats.of(metrics["response_time"], metrics[CENSORED["response_time"]]),
                service_time=Stats.of(metrics["service_time"], metrics[CENSORED["service_time"]]),
            )
            for name, metrics in self._by_name.items()
        ]

    def _security(self) -> Security | None:
        tls = self._header.plan.tls
        if tls is None:
            return None
        return Security(verified=tls.trust != "anyone", resumption=tls.resume, server_name=tls.server_name)

    def _connected_to(self) -> str | None:
        plan = self._header.plan
        if plan.proxy:
            target = (plan.target.host, plan.target.port)
            return None if parse_authority(plan.proxy.authority) == target else plan.proxy.authority
        dials = [f"{dial.host}:{dial.port}" for dial in plan.dials]
        return None if dials == [f"{plan.target.host}:{plan.target.port}"] else ", ".join(dials)

    def _compression(self) -> CompressionSummary | None:
        if self._header.plan.handshake.compression is None:
            return None
        whole = self._whole
        return CompressionSummary(
            sent_bytes=whole["deflate_in_bytes"],
            sent_compressed_bytes=whole["deflate_out_bytes"],
            received_bytes=whole["inflate_out_bytes"],
            received_compressed_bytes=whole["inflate_in_bytes"],
        )

    def _pings(self) -> Pings | None:
        if self._header.plan.ping is None:
            return None
        return Pings(sent=self._whole["pings_sent"], answered=self._whole["pongs_received"])

    def _recovery(self) -> Recovery | None:
        lost = self._whole["connections_lost"] + self._whole["matching_lost"]
        if not lost:
            return None
        return Recovery(
            lost=lost,
            recovered=self._histograms["recover_time"].count,
            attempts=self._whole["recover_attempts"],
            messages_lost=self._whole["recover_lost"],
        )

    def _fan_out(self) -> FanOut | None:
        publishers = self._header.plan.publishers
        if publishers is None:
            return None
        measured = self._measured
        expected, delivered = measured["fan_out_expected"], measured["fan_out_delivered"]
        return FanOut(
            publishers=publishers,
            expected=expected,
            delivered=delivered,
            reach=delivered / expected if expected else None,
            duplicates=measured["duplicates"],
            reordered=measured["fan_out_reordered"],
        )

    def _generator(self) -> Generator:
        own = {"workers", "workers_lost", "rss_bytes_max"}
        return Generator(
            workers=self._header.workers,
            workers_lost=self._workers_lost,
            rss_bytes_max=self._rss_bytes_max,
            **{name: self._measured[name] for name in Generator.model_fields if name not in own},
        )


def _matching_words(matching: Literal["order", "none"] | KeyMatching) -> str:
    if not isinstance(matching, KeyMatching):
        return matching

    def words(key: KeySpec) -> str:
        match key:
            case JsonKey():
                return f"json:{key.path}"
            case RegexKey():
                return f"regex:{key.expression}"
        return key

    sent, received = words(matching.key.sent), words(matching.key.received)
    return sent if sent == received else f"{sent} = {received}"


def read_summary(path: Path, thresholds: Sequence[Threshold] | None = None) -> Summary:
    """The summary of a run file, of one that is still growing or was killed as well.

    `thresholds` take the place of those that the run was held against.

    Raises:
        RunFileError: the file cannot be read.
    """
    with RunFile.open(path) as run:
        return summarize(run, thresholds)


def summarize(run: RunFile, thresholds: Sequence[Threshold] | None = None) -> Summary:
    """The summary of an open run file."""
    fold = fold_for(run, thresholds)
    for interval in run.intervals():
        fold.add(interval)
    return finish(fold, run)


def fold_for(run: RunFile, thresholds: Sequence[Threshold] | None = None) -> Fold:
    """An empty sum for the intervals of an open run file.

    Raises:
        RunFileError: it was held against a threshold that is not known here.
    """
    try:
        return Fold(run.header, thresholds)
    except UsageError as error:
        remedy = "A newer wsload may have written it; name others with --threshold."
        raise RunFileError(f"{run.path}: {error.what}", remedy) from None


def finish(fold: Fold, run: RunFile) -> Summary:
    """The summary of intervals that have been added, with the notes and the outcome that their file holds."""
    fold.take_notes(run.notes())
    outcomes: dict[str, Outcome] = {"completed": "completed", "interrupted": "interrupted", "failed": "failed"}
    return fold.summary(outcomes.get(run.outcome or "", "unfinished"), run.outcome_reason, run.path)
