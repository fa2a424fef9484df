"""How far a continuous series is complete, and the minutes that it lacks."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from cli.client.bar_reads import describe_gaps
from shared.bars.bar_reader import complete_until
from shared.bars.set_aside import list_set_aside
from shared.db.market_data import bar_coverage
from shared.domain.market_data.bar import MINUTE
from shared.domain.market_data.calendar import Calendar
from shared.domain.market_data.continuous import ContinuousBars
from shared.domain.market_data.contract import Contract, typed_symbol
from shared.domain.market_data.coverage import Span, intersect, subtract

_NAMED = 3


@dataclass(frozen=True, slots=True)
class SeriesCoverage:
    """The gaps of a series, oldest first, each with the contract that it has there; the rest as of `BarsRead`."""

    gaps: tuple[tuple[str, Span], ...]
    as_of: datetime
    set_aside: tuple[Span, ...]

    def list_rows(self) -> list[dict[str, Any]]:
        """Return the gaps for JSON, newest first."""
        return [
            {"contract": contract_id, "start": gap.start, "end": gap.end, "minutes": gap.duration // MINUTE}
            for contract_id, gap in reversed(self.gaps)
        ]

    def describe(self) -> str | None:
        """Return a sentence that names the newest gaps, and the months to fetch them by; None without any."""
        named = dict.fromkeys(typed_symbol(contract_id) for contract_id, _ in self.gaps[: -_NAMED - 1 : -1])
        return describe_gaps([gap for _, gap in self.gaps], list(named), _NAMED, set_aside=self.set_aside)


def read_series_coverage(
    connection: Connection, made: ContinuousBars, asked: Span, newest: Contract, calendar: Calendar
) -> SeriesCoverage:
    """Return how far a series is complete in a span of market time; `newest` is its newest contract.

    A contract that another follows, or that is no longer active, is not known beyond its newest bar: an answer without
    a bar of it shows no minute to be without a trade.
    """
    gaps: list[tuple[str, Span]] = []
    set_aside: list[Span] = []
    end = asked.end if newest.is_active else min(asked.end, made.parts[-1].newest_end)
    for number, part in enumerate(made.parts):
        is_newest = number == len(made.parts) - 1
        used = Span(part.span.start, end if is_newest else part.span.end).overlap(Span(asked.start, end))
        if used is None:
            continue
        complete = bar_coverage.read(connection, part.contract_id).complete
        if not is_newest:
            complete = intersect(complete, [Span(used.start, part.newest_end)])
        rejected = list_set_aside(connection, part.contract_id, used)
        missing = subtract(calendar.open_spans(used), subtract(complete, rejected))
        gaps += [(part.contract_id, gap) for gap in missing]
        set_aside += intersect(missing, rejected)
    return SeriesCoverage(tuple(gaps), complete_until([gap for _, gap in gaps], end, calendar), tuple(set_aside))
