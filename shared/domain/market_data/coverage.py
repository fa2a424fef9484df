"""Coverage: the spans of time that bars cover, and the gaps between them."""

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
        """The length of the span; an empty span has zero or less."""
        return self.end - self.start

    def overlap(self, other: "Span") -> "Span | None":
        """Return the part that both spans share, or None."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Span(start, end) if start < end else None


def find_gaps(wanted: Span, held: Iterable[Span]) -> Iterator[Span]:
    """Yield the gaps: the parts of `wanted` that no span of `held` covers, oldest first."""
    covered_until = wanted.start
    for span in sorted(held):
        if span.start >= wanted.end:
            break
        if span.start > covered_until:
            yield Span(covered_until, span.start)
        covered_until = max(covered_until, span.end)
    if covered_until < wanted.end:
        yield Span(covered_until, wanted.end)
