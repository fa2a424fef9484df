"""Why an account stays not reconciled with the venue."""

from sqlalchemy import Connection

from shared.db.upkeep import schedules

_ENTRY = "reconcile_accounts"  # of the schedule


def explain(connection: Connection) -> str | None:
    """Return what keeps accounts from being reconciled, and how to end that; None without a pause."""
    entry = schedules.find(connection, _ENTRY)
    if entry is None or entry.is_enabled:
        return None
    return f"a person has paused {_ENTRY}, and `tickwork schedule resume {_ENTRY}` lets it run"
