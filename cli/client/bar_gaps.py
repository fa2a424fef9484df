"""The gaps in the stored bars: the minutes of open sessions that are not complete."""

from typing import Any

from sqlalchemy import Connection

from shared.db.market_data import bar_coverage
from shared.domain.market_data.bar import MINUTE
from shared.domain.market_data.calendar import assumed_calendar_of
from shared.domain.market_data.contract import root_of_contract
from shared.domain.market_data.coverage import Span, intersect, subtract, unite


def list_gaps(connection: Connection, contract_id: str, span: Span) -> list[dict[str, Any]]:
    """Return the gaps of a contract in a span of market time, newest first, each with its minutes.

    A gap of which one answer of the venue had no bar is "asked once", any other is "missing".
    """
    known = bar_coverage.read(connection, contract_id)
    missing = subtract(_list_open(contract_id, span), known.complete)
    asked = intersect(missing, known.unconfirmed)
    states = [(gap, "asked once") for gap in asked] + [(gap, "missing") for gap in subtract(missing, asked)]
    return [
        {"contract": contract_id, "start": gap.start, "end": gap.end, "minutes": gap.duration // MINUTE, "state": state}
        for gap, state in sorted(states, reverse=True)
    ]


def count_minutes(connection: Connection, contract_id: str, span: Span) -> tuple[int, int]:
    """Return how many minutes of open sessions are complete in a span of market time, and how many there are."""
    opened = _list_open(contract_id, span)
    complete = intersect(opened, bar_coverage.read(connection, contract_id).complete)
    of_complete, of_all = (sum(one.duration // MINUTE for one in spans) for spans in (complete, opened))
    return of_complete, of_all


def _list_open(contract_id: str, span: Span) -> tuple[Span, ...]:
    return unite(assumed_calendar_of(root_of_contract(contract_id).group).open_spans(span))
