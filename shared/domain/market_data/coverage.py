"""Spans of time and their sets: what bars cover, and the gaps that are left."""

from bisect import bisect_left, bisect_right
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


def unite(*several: Iterable[Span]) -> tuple[Span, ...]:
    """Return the time that any of these spans covers: oldest first, none touching the next, as a multirange is."""
    united: list[Span] = []
    for span in sorted(span for spans in several for span in spans if span.start < span.end):
        if united and span.start <= united[-1].end:
            united[-1] = Span(united[-1].start, max(united[-1].end, span.end))
        else:
            united.append(span)
    return tuple(united)


def subtract(spans: Iterable[Span], removed: Iterable[Span]) -> tuple[Span, ...]:
    """Return the time that `spans` cover and `removed` do not, as `unite` does."""
    united, taken = unite(spans), unite(removed)
    starts, ends = [span.start for span in taken], [span.end for span in taken]
    return tuple(
        gap
        for span in united
        for gap in find_gaps(span, taken[bisect_right(ends, span.start) : bisect_left(starts, span.end)])
    )


def intersect(spans: Iterable[Span], others: Iterable[Span]) -> tuple[Span, ...]:
    """Return the time that both cover, as `unite` does."""
    united = unite(spans)
    return subtract(united, subtract(united, others))
