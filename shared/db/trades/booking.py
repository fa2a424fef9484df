"""Books fills as round trips: by a schedule, and by a reader who wants to see the newest."""

from datetime import timedelta

from sqlalchemy import Connection

from shared.db.engine import limit_lock_wait, suppress_lock_timeout
from shared.db.market_data import contracts
from shared.db.orders import positions
from shared.db.trades import round_trips
from shared.db.trades.round_trips import DueContract
from shared.domain.trades.round_trip import build_round_trips

_READERS_WAIT = timedelta(seconds=1)


def book_newest(connection: Connection) -> None:
    """Book the newest fills for a reader, in a transaction; what another session holds up stays as it was booked."""
    with suppress_lock_timeout("the newest fills are not booked"), connection.begin():
        limit_lock_wait(connection, _READERS_WAIT)
        round_trips.lock_booking(connection)
        book_due(connection)


def book_due(connection: Connection) -> int:
    """Book the changes since the last booking and return the count of round trips; the caller has the booking lock.

    Every round trip since the account was last flat before the change is built again: a fill that came late or was
    voided corrects the past.
    """
    return sum(_book(connection, due) for due in round_trips.take_due(connection))


def _book(connection: Connection, due: DueContract) -> int:
    flat = round_trips.find_last_flat(connection, due)
    point_value = contracts.require(connection, due.contract_id).point_value
    baseline = positions.find_baseline(connection, due.account_id, due.contract_id)
    fills = round_trips.list_fills_since(connection, due, flat)
    trips = build_round_trips(fills, point_value, baseline).round_trips
    round_trips.replace_since(connection, due, flat, trips)
    return len(trips)
