"""What a run came to, for tests and notebooks."""

import html
import io
from dataclasses import dataclass
from pathlib import Path

from wsload.errors import ExitCode, NotMeasuredError
from wsload.results import Stats, Summary
from wsload.results.summary import NameSummary
from wsload.results.thresholds import ThresholdResult


@dataclass(frozen=True, slots=True, repr=False)
class Result:
    """A finished run. Latencies are integer nanoseconds; `print(result)` shows what the command line shows.

    `path` is the run file; None, and `file_error` says why, when it could not be written to its end.
    """

    summary: Summary
    exit_code: ExitCode
    path: Path | None
    file_error: str | None

    @property
    def passed(self) -> bool:
        """Whether something was measured and every threshold holds: exit code 0 of the command line."""
        return self.exit_code == ExitCode.OK

    @property
    def thresholds(self) -> list[ThresholdResult]:
        """What became of each threshold, in order."""
        return self.summary.thresholds

    @property
    def response(self) -> Stats:
        """Intended send to the reply's arrival: `.p50`, `.p99`, `.p99_9`, `.max`, ...; `.at_least` names lower bounds.

        Raises:
            NotMeasuredError: no reply was awaited.
        """
        return self._measured("response", self.summary.response_time)

    @property
    def service(self) -> Stats:
        """Actual send to the reply's arrival. Raises NotMeasuredError as `response` does."""
        return self._measured("service", self.summary.service_time)

    @property
    def send_lag(self) -> Stats:
        """Intended to actual send, the generator's own share. Raises NotMeasuredError: nothing was sent."""
        return self._measured("send_lag", self.summary.send_lag)

    @property
    def connect(self) -> Stats:
        """First SYN to the accepted upgrade. Raises NotMeasuredError: no connection opened."""
        return self._measured("connect", self.summary.connect)

    @property
    def by_name(self) -> dict[str, NameSummary]:
        """`by_name["say"].response_time`, `.service_time`: of each message name, where a scenario has several."""
        return {one.name: one for one in self.summary.names}

    def _measured(self, name: str, stats: Stats | None) -> Stats:
        if stats is None:
            failures = ", ".join(f"{failure.count} x {failure.kind}" for failure in self.summary.failures)
            raise NotMeasuredError(f"{name}: nothing was measured", f"Failures: {failures}." if failures else "")
        return stats

    def __str__(self) -> str:
        from wsload.report.terminal import print_summary

        text = io.StringIO()
        print_summary(self.summary, text)
        return text.getvalue().rstrip()

    def __repr__(self) -> str:
        # What pytest shows of a failed `assert result.passed`.
        failed = [result.text for result in self.thresholds if not result.passed]
        return f"<Result exit_code={int(self.exit_code)} failed thresholds: {', '.join(failed) or 'none'}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: the summary, with everything that servers said escaped."""
        return f"<pre>{html.escape(str(self))}</pre>"
