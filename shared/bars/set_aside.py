"""The minutes of which the venue has sent only records that cannot be bars."""

import numpy as np
from sqlalchemy import Connection

from shared.db.market_data import bars, rejected_bars
from shared.domain.market_data.bar import MINUTE
from shared.domain.market_data.bar_columns import BarColumns, seconds_of
from shared.domain.market_data.coverage import Span, unite


def list_set_aside(
    connection: Connection, contract_id: str, span: Span, stored: BarColumns | None = None
) -> tuple[Span, ...]:
    """Return the minutes in a span without a bar of which a record was set aside and stands: they had a trade.

    `stored` are the one-minute bars of the span; without it those that are needed are read.
    """
    minutes = rejected_bars.list_minutes(connection, contract_id, span)
    if not minutes:
        return ()
    if stored is None:
        stored = bars.read(connection, contract_id, Span(minutes[0], minutes[-1] + MINUTE))
    has_bar = np.isin([seconds_of(at) for at in minutes], stored.seconds)
    return unite(Span(at, at + MINUTE) for at, is_stored in zip(minutes, has_bar, strict=True) if not is_stored)
