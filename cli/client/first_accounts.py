"""The accounts of a stack that may have started just now."""

from threading import Event

from cli.client.stack import connect
from shared.clock import monotonic
from shared.db.accounts import accounts
from shared.db.accounts.accounts import AccountRow

_FIRST_SNAPSHOT_S = 15.0


def wait_for_accounts() -> list[AccountRow]:
    """Return the accounts; wait up to 15 s for the first snapshot of them."""
    pause, gives_up_at = Event(), monotonic() + _FIRST_SNAPSHOT_S
    with connect() as connection:
        while True:
            known = accounts.list_all(connection)
            if known or monotonic() >= gives_up_at:
                return known
            connection.rollback()
            pause.wait(0.3)
