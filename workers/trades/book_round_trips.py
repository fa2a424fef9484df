"""Books fills as round trips, and measures the favourable and adverse excursion of each."""

from sqlalchemy import Connection

from shared.bars.set_aside import list_set_aside
from shared.db.market_data import bar_coverage, bars, contracts
from shared.db.trades import round_trips
from shared.db.trades.booking import book_due
from shared.db.trades.round_trips import UnmeasuredTrip
from shared.domain.market_data.bar import MINUTE, minute_of
from shared.domain.market_data.coverage import Span
from shared.domain.trades.statistics import measure_excursions
from shared.ledger.jobs.trades import BookRoundTrips
from workers.context import Context
from workers.task import task

_MEASURED_AT_ONCE = 500


@task(BookRoundTrips)
def book_round_trips(_: BookRoundTrips, ctx: Context) -> dict[str, int]:
    """Book the changes since the last booking; the result depends only on the fills, so a second run changes nothing.

    While another run books, this one returns without a booking.
    """
    with ctx.transaction() as tx:
        if not round_trips.try_lock_booking(tx.connection):
            return {"booked": 0, "measured": 0}
        booked = book_due(tx.connection)
    with ctx.autocommit() as connection:
        unmeasured = round_trips.list_unmeasured(connection, _MEASURED_AT_ONCE)
    measured = 0
    for contract_id in {trip.key.contract_id for trip in unmeasured}:
        with ctx.transaction() as tx:
            bar_coverage.lock(tx.connection, contract_id)  # so that no bar is corrected between reading and recording
            measured += sum(_measure(tx.connection, trip) for trip in unmeasured if trip.key.contract_id == contract_id)
    return {"booked": booked, "measured": measured}


def _measure(connection: Connection, trip: UnmeasuredTrip) -> bool:
    contract = contracts.require(connection, trip.key.contract_id)
    span = Span(minute_of(trip.opened_market_at), trip.key.closed_market_at + MINUTE)
    held = bars.read(connection, contract.id, span)
    if list_set_aside(connection, contract.id, span, held):
        return False  # the minute that is missing may be the one with the worst price
    found = measure_excursions(trip.direction, trip.lots, held.to_bars(), contract)
    if found is not None:
        round_trips.record_excursions(connection, trip, found)
    return found is not None
