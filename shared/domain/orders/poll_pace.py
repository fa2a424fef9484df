"""How often the venue is asked for a change that does not come, so that waiting uses up no requests."""

from datetime import timedelta

FIRST_POLL, LONGEST_POLL = timedelta(seconds=0.1), timedelta(seconds=2)
FIRST_RESEND, LONGEST_RESEND = timedelta(seconds=1), timedelta(seconds=15)
FIRST_CLOSE, LONGEST_CLOSE = timedelta(seconds=1), timedelta(seconds=15)
LEFT_TO_RECONCILE_AFTER = timedelta(seconds=10)  # an order whose fill is not found by then
_MOST_DOUBLINGS = 4


def poll_pause(waited: timedelta) -> timedelta:
    """Return the pause before the next question: as long as was `waited` already, so it doubles."""
    return max(FIRST_POLL, min(waited, LONGEST_POLL))


def resend_pause(sent_count: int) -> timedelta:
    """Return the pause before a request is sent again that was sent so many times; it doubles each time."""
    return min(FIRST_RESEND * (1 << min(max(sent_count - 1, 0), _MOST_DOUBLINGS)), LONGEST_RESEND)


def close_pause(waited: timedelta, flattened_after: timedelta) -> timedelta:
    """Return the pause before a close that the venue rejects is requested again; it grows with what was `waited`.

    It ends when what could not be closed may be flattened.
    """
    pause = min(waited / 4, LONGEST_CLOSE)
    if waited < flattened_after:
        pause = min(pause, flattened_after - waited)
    return max(FIRST_CLOSE, pause)
