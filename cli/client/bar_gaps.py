"""The gaps in the stored bars: the minutes of open sessions that are not complete."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from shared.bars.bar_revision import HISTORY
from shared.bars.set_aside import list_set_aside
from shared.db import views
from shared.db.market_data import bar_coverage, contracts
from shared.domain.market_data.bar import MINUTE
from shared.domain.market_data.calendar import assumed_calendar_of
from shared.domain.market_data.contract import Contract, root_of_contract
from shared.domain.market_data.coverage import Span, intersect, subtract, unite

MISSING = "missing"
SET_ASIDE = "set aside"


@dataclass(frozen=True, slots=True)
class MinuteCounts:
    """How many minutes of open sessions are complete, how many of the others were set aside, and how many there are."""

    complete: int
    set_aside: int
    total: int


def list_gaps(connection: Connection, contract_id: str, span: Span) -> list[dict[str, Any]]:
    """Return the gaps of a contract in a span of market time, newest first, each with its minutes.

    A gap of which the venue has sent what cannot be a bar is "set aside", of the others one of which an answer had no
    bar is "asked once", and any other is "missing".
    """
    known = bar_coverage.read(connection, contract_id)
    opened = list_open_spans(contract_id, span)
    set_aside = intersect(opened, list_set_aside(connection, contract_id, span))
    missing = subtract(subtract(opened, known.complete), set_aside)
    asked = intersect(missing, known.unconfirmed)
    states = [(gap, "asked once") for gap in asked] + [(gap, MISSING) for gap in subtract(missing, asked)]
    states += [(gap, SET_ASIDE) for gap in set_aside]
    return [
        {"contract": contract_id, "start": gap.start, "end": gap.end, "minutes": gap.duration // MINUTE, "state": state}
        for gap, state in sorted(states, reverse=True)
    ]


def count_minutes(connection: Connection, contract_id: str, span: Span) -> MinuteCounts:
    """Return the counts of a contract in a span of market time."""
    opened = list_open_spans(contract_id, span)
    set_aside = intersect(opened, list_set_aside(connection, contract_id, span))
    complete = subtract(intersect(opened, bar_coverage.read(connection, contract_id).complete), set_aside)
    return MinuteCounts(*(sum(one.duration // MINUTE for one in spans) for spans in (complete, set_aside, opened)))


def list_open_spans(contract_id: str, span: Span) -> tuple[Span, ...]:
    """Return when the market of a contract is open in a span of market time."""
    return unite(assumed_calendar_of(root_of_contract(contract_id).group).open_spans(span))


def list_spans_with_bars(
    connection: Connection, contract_ids: Sequence[str] | None, span: Span
) -> list[tuple[Contract, Span]]:
    """Return the contracts with bars, of these or of all, and the part of a span of market time that each has lived in.

    It begins with the first bar; that of a contract that is not active ends with its newest one, or for four days when
    it was tracked last: until then the end is fetched. One that lived in no part of the span is left out.
    """
    found = []
    tracked_until = {one.id: at for one, at in contracts.list_untracked_since(connection, span.end - HISTORY)}
    for one in views.list_coverage(connection):
        if contract_ids is None or one["contract"] in contract_ids:
            contract = contracts.require(connection, one["contract"])
            newest = max(one["newest"] + MINUTE, tracked_until.get(contract.id, one["first"]))
            end = span.end if contract.is_active else min(span.end, newest)
            lived = Span(max(span.start, one["first"]), end)
            found += [(contract, lived)] if lived.start < lived.end else []
    return found
