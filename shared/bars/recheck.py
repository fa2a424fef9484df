"""The bars that the venue is asked for again every hour of a session, as it corrects some."""

from datetime import datetime

from shared.domain.market_data.calendar import Calendar


def find_rechecked(calendar: Calendar, at: datetime) -> datetime:
    """Return the start of the oldest such bar: of the session before that of `at`, or before the next one."""
    session = calendar.session_at(at) or calendar.next_session(at)
    return calendar.last_session(session.opens).opens
