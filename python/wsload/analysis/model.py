"""A comparison as data: what `wsload compare` prints in every form, and what a page draws."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from wsload.analysis.alike import Difference
from wsload.analysis.estimate import Basis, Outcome
from wsload.analysis.metrics import Scale, Worse


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RunInfo(_Section):
    """One run of a side."""

    file: str
    started_at: str = Field(description="ISO 8601")
    target: str
    labels: dict[str, str]


class Side(_Section):
    """The runs on one side, in order of their rounds, else of their file names."""

    named: str = Field(description="as it was given")
    runs: list[RunInfo]


class Row(_Section):
    """One metric. Values are in `unit`; several runs are averaged, latencies and rates geometrically."""

    metric: str = Field(description="such as response.p99")
    message: str = Field(description="message name; empty for all messages together")
    unit: Literal["ns", "per_s", "share", "bytes"]
    worse: Worse
    scale: Scale = Field(description="ratio: new divided by base; difference: new minus base, of shares")
    base: float
    new: float
    base_runs: list[float] = Field(description="in the order of the side's runs")
    new_runs: list[float]
    change: float = Field(description="the ratio or difference")
    low: float = Field(description="of its confidence interval")
    high: float
    tolerance: float = Field(description="0.05: a ratio between 1/1.05 and 1.05 is no change")
    verdict: Outcome
    alone: bool = Field(description="a change if this were the only metric, but not among all that were looked at")
    chance: float = Field(description="two-sided p-value of a change beyond the tolerance, before the correction")
    basis: Basis = Field(description="what the error is taken from")
    runs_to_settle: int | None = Field(description="runs a side that would settle it; null if decided or above 100")
    at_least: bool = Field(description="replies that never came might have made a value greater")

    @property
    def full_name(self) -> str:
        """`response.p99`, or `response.p99[login]` for one message name."""
        return f"{self.metric}[{self.message}]" if self.message else self.metric


class CurvePoint(_Section):
    """A percentile of the response time on either side, and their ratio, each with its interval, ns."""

    quantile: float
    base: float
    base_low: float | None
    base_high: float | None
    new: float
    new_low: float | None
    new_high: float | None
    ratio: float
    ratio_low: float | None
    ratio_high: float | None


class Skipped(_Section):
    """A metric that was not compared."""

    metric: str
    why: str


class Comparison(_Section):
    """What comparing two sides came to. Intervals are of `level` each; verdicts hold for all rows together."""

    schema_version: Literal[1] = 1
    wsload_version: str
    verdict: Outcome
    level: float
    correction: Literal["Benjamini-Hochberg"] = "Benjamini-Hochberg"
    compared: int = Field(description="how many comparisons were made")
    paired: bool = Field(description="whether runs were paired by round")
    base: Side
    new: Side
    rows: list[Row]
    skipped: list[Skipped]
    curve: list[CurvePoint]
    differences: list[Difference] = Field(description="in which the runs are not alike, compared all the same")
    warnings: list[str]

    def to_json(self) -> str:
        """The document that `--format json` prints; docs/schema/comparison.schema.json describes it."""
        return self.model_dump_json(indent=2)
