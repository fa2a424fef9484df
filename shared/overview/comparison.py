"""Whether what is known of an account was compared with the venue lately: else its positions may be others."""

from datetime import datetime, timedelta

from shared.db.accounts.accounts import AccountRow
from shared.domain.risk.watch_gap import describe_duration

_COMPARED_WITHIN = timedelta(minutes=5)  # accounts that may trade are compared each half minute


def describe_uncompared(account: AccountRow, now: datetime) -> str | None:
    """Return for how long the account was not compared with the venue; None if it was within five minutes.

    The jobs of a reconcile skip an account that may not trade and holds nothing.
    """
    if account.compared_until_at is None:
        return "NEVER COMPARED with the venue"
    age = now - account.compared_until_at
    return None if age <= _COMPARED_WITHIN else f"NOT COMPARED with the venue for {describe_duration(age)}"
