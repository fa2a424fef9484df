"""Which spans of time we hold bars for, and which are missing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, order=True, slots=True)
class Span:
    """A half-open interval of time: `start` belongs to it, `end` does not."""

    start: datetime
    end: datetime

    @property
    def duration(self) -> timedelta:
        """How long the span is; zero or negative means empty."""
        return self.end - self.start

    def overlap(self, other: "Span") -> "Span | None":
        """Return what both spans hold, or None."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Span(start, end) if start < end else None


def gaps(wanted: Span, held: Iterable[Span]) -> Iterator[Span]:
    """Yield the parts of `wanted` that no held span covers, oldest first."""
    covered_until = wanted.start
    for span in sorted(held):
        if span.start >= wanted.end:
            break
        if span.start > covered_until:
            yield Span(covered_until, span.start)
        covered_until = max(covered_until, span.end)
    if covered_until < wanted.end:
        yield Span(covered_until, wanted.end)
