"""Checks of many bars at once, and sets of spans, beside the plain way."""

from datetime import UTC, datetime

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.market_data.bar import MINUTE, Bar
from shared.domain.market_data.bar_checks import find_runs, is_within, span_of
from shared.domain.market_data.bar_columns import from_bars, time_of
from shared.domain.market_data.coverage import Span, find_gaps, subtract, unite

BEGINS = datetime(2026, 3, 9, 14, tzinfo=UTC)
NUMBERS = st.sets(st.integers(0, 60), min_size=1)
SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9))).map(
    lambda given: [Span(BEGINS + first * MINUTE, BEGINS + (first + length) * MINUTE) for first, length in given]
)


@given(NUMBERS)
def test_minutes_of_bars_are_the_union_of_each(numbers: set[int]) -> None:
    starts = [BEGINS + number * MINUTE for number in sorted(numbers)]
    found = from_bars([Bar(start, 1, 1, 1, 1, 0) for start in starts])

    expected = unite(Span(start, start + MINUTE) for start in starts)
    firsts, ends = find_runs(found.seconds)
    assert expected == tuple(map(Span, map(time_of, firsts.tolist()), map(time_of, ends.tolist())))
    assert Span(starts[0], starts[-1] + MINUTE) == span_of(found.seconds)
    assert [0, 0] == [len(edges) for edges in find_runs(found.seconds[:0])]


@given(NUMBERS, SPANS)
def test_an_instant_lies_within_one_of_the_spans_or_not(numbers: set[int], spans: list[Span]) -> None:
    united = unite(spans)
    instants = [BEGINS + number * MINUTE for number in sorted(numbers)]
    seconds = np.array([int(one.timestamp()) for one in instants])

    expected = [any(span.start <= one < span.end for span in united) for one in instants]
    assert expected == is_within(seconds, united).tolist()


@given(SPANS, SPANS)
def test_what_is_left_is_what_no_removed_span_covers(spans: list[Span], removed: list[Span]) -> None:
    expected = [gap for span in unite(spans) for gap in find_gaps(span, removed)]

    assert tuple(expected) == subtract(spans, removed)
