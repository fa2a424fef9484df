"""A calendar without weekends, halts and holidays: sessions follow one another from 17:00 to 17:00 in Chicago."""

from datetime import UTC, date, datetime, time, timedelta

from shared.domain.market_data.calendar import CHICAGO, Calendar, Session

_OPENS = time(17)
_DAY = timedelta(days=1)


class AroundTheClock(Calendar):
    """One session for every calendar day, named by the day it ends on."""

    def __init__(self) -> None:
        super().__init__("equity", assumes_regular_days=True)

    def _build_session(self, trading_day: date) -> Session:
        return Session(trading_day, _opening_on(trading_day - _DAY), _opening_on(trading_day))


def _opening_on(day: date) -> datetime:
    return datetime.combine(day, _OPENS, CHICAGO).astimezone(UTC)


AROUND_THE_CLOCK = AroundTheClock()
