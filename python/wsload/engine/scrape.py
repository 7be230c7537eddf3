"""Chosen metrics of a target's Prometheus page."""

import math
import urllib.error
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException
from urllib.parse import urlsplit

from wsload import __version__
from wsload.errors import UsageError

DEFAULT_METRICS = ("process_resident_memory_bytes", "process_open_fds", "process_cpu_seconds_total")
START_TIME = "process_start_time_seconds"
"""Tells a process from the one that takes its place."""
TIMEOUT_S = 5.0
MAX_PAGE_BYTES = 16 << 20
MAX_SAMPLES = 10_000
"""Of the chosen metrics, whose labels may make any number of them."""


class ScrapeError(Exception):
    """A page that cannot be read, in words."""


class Selector:
    """`NAME` or `NAME{label="value"}`: of what it selects the sum is taken."""

    def __init__(self, text: str) -> None:
        from prometheus_client.parser import text_string_to_metric_families

        self.text = text
        try:
            ((sample,),) = [family.samples for family in text_string_to_metric_families(f"{text} 0\n")]
        except (ValueError, KeyError, IndexError):
            remedy = 'Write its name, and labels where one is meant of several: http_connections{state="open"}.'
            raise UsageError(f"--watch-metric: {text!r} is no metric", remedy) from None
        self.name, self._labels = sample.name, sample.labels

    def takes(self, labels: dict[str, str]) -> bool:
        """Whether a sample of its name is meant."""
        return all(labels.get(label) == value for label, value in self._labels.items())


class Page:
    """A metrics page. `read` blocks: it is for a thread."""

    def __init__(self, url: str, metrics: Sequence[str] = ()) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UsageError(f"--watch-url: {url!r} is no http:// or https:// URL", "Try http://HOST:PORT/metrics.")
        if "@" in parts.netloc:
            raise UsageError("--watch-url: it holds a user or password", "Leave it out: results keep the URL.")
        self.url = url
        self.selectors = [Selector(text) for text in metrics or DEFAULT_METRICS]
        # A metrics page is as near as the target: no proxy of the environment stands between.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def read(self) -> dict[str, float]:
        """The chosen metrics that it has, and its process's start time.

        Raises:
            ScrapeError: it cannot be read, or holds none of them.
        """
        found = pick(self._fetch(), self.selectors)
        if not found.keys() - {START_TIME}:
            names = ", ".join(selector.text for selector in self.selectors)
            raise ScrapeError(f"it has none of {names}")
        return found

    def _fetch(self) -> str:
        request = urllib.request.Request(self.url, headers={"User-Agent": f"wsload/{__version__}"})  # noqa: S310 - checked
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as response:
                body = response.read(MAX_PAGE_BYTES + 1)
        except urllib.error.HTTPError as error:
            raise ScrapeError(f"HTTP status {error.code}") from None
        except urllib.error.URLError as error:
            raise ScrapeError(str(getattr(error.reason, "strerror", None) or error.reason)) from None
        except (OSError, HTTPException, ValueError) as error:
            raise ScrapeError(str(error) or type(error).__name__) from None
        if len(body) > MAX_PAGE_BYTES:
            raise ScrapeError(f"it is longer than {MAX_PAGE_BYTES >> 20} MiB")
        return str(body, "utf-8", "replace")


def pick(page: str, selectors: Sequence[Selector]) -> dict[str, float]:
    """The metrics that are selected, and the start time where it is told; what is no number is left out.

    Raises:
        ScrapeError: lines of theirs are no Prometheus text, or too many.
    """
    from prometheus_client.parser import text_string_to_metric_families

    names = {selector.name for selector in selectors} | {START_TIME}
    # Pages have thousands of lines, of which a few are wanted: only those are parsed.
    lines = [line for line in page.splitlines() if line.partition("{")[0].split(" ", 1)[0] in names]
    if len(lines) > MAX_SAMPLES:
        raise ScrapeError(f"the chosen metrics have more than {MAX_SAMPLES:,} samples")
    try:
        samples = [one for family in text_string_to_metric_families("\n".join(lines) + "\n") for one in family.samples]
    except (ValueError, KeyError, IndexError) as error:
        raise ScrapeError(f"it is no Prometheus text: {str(error)[:80]!r}") from None
    found: dict[str, float] = {}
    for selector in selectors:
        values = [one.value for one in samples if one.name == selector.name and selector.takes(one.labels)]
        if values and math.isfinite(sum(values)):
            found[selector.text] = sum(values)
    found |= {one.name: one.value for one in samples if one.name == START_TIME and math.isfinite(one.value)}
    return found
