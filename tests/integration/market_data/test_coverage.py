"""Sets of spans in Python are those of Postgres' multiranges."""

from datetime import UTC, datetime, timedelta

import psycopg
from hypothesis import given
from hypothesis import strategies as st
from psycopg.types.multirange import TimestamptzMultirange
from psycopg.types.range import TimestamptzRange

from shared.domain.market_data.coverage import Span, intersect, subtract, unite

BEGINS = datetime(2026, 3, 9, tzinfo=UTC)
SETS = """
    SELECT %(one)s::tstzmultirange + %(other)s, %(one)s::tstzmultirange - %(other)s, %(one)s::tstzmultirange * %(other)s
"""

minutes = st.integers(0, 30)
spans = st.lists(
    st.tuples(minutes, minutes).map(sorted).map(lambda pair: Span(*(BEGINS + timedelta(minutes=at) for at in pair))),
    max_size=6,
)


def to_ranges(found: list[Span]) -> TimestamptzMultirange:
    return TimestamptzMultirange([TimestamptzRange(span.start, span.end, "[)") for span in found])


def to_spans(ranges: TimestamptzMultirange) -> tuple[Span, ...]:
    return tuple(Span(one.lower, one.upper) for one in ranges if one.lower is not None and one.upper is not None)


def test_sets_of_spans_are_those_of_postgres(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:

        @given(spans, spans)
        def compare(one: list[Span], other: list[Span]) -> None:
            row = connection.execute(SETS, {"one": to_ranges(one), "other": to_ranges(other)}).fetchone()
            assert row is not None
            assert (unite(one, other), subtract(one, other), intersect(one, other)) == tuple(map(to_spans, row))

        compare()
