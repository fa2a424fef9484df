"""Sessions that hold locks: describes them, and ends those that block a command."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from cli.client.stack import connect, load_stack_settings
from shared.db.engine import DATABASE_ERRORS, make_engine
from shared.db.upkeep.blocking_sessions import end_blocking, list_idle

IDLE_FOR = timedelta(seconds=2)
_EVERY_S = 0.5


def describe_locks() -> str:
    """Return what to do about a lock that another session holds, with the sessions that sit in a transaction."""
    with connect() as connection:
        found = list_idle(connection, IDLE_FOR)
    if not found:
        return "nothing was changed: another session holds a lock, and no session is idle in a transaction. Try again"
    return (
        f"nothing was changed: rows are locked, perhaps by {'; '.join(map(str, found))}. Commit or roll back there, or "
        f"end it: `tickwork db psql -c 'SELECT pg_terminate_backend({found[0].pid})'`. A relay that runs does so itself"
    )


@contextmanager
def end_blocking_sessions() -> Iterator[None]:
    """End, while the block runs, the sessions that keep ours waiting for a lock: the relay does, but it may be dead."""
    stopping = threading.Event()
    engine = make_engine(load_stack_settings().require_database(), program="cli", pool_size=1)

    def end_blocking_until_stopped() -> None:
        while not stopping.wait(_EVERY_S):
            with suppress(*DATABASE_ERRORS):
                end_blocking(engine)

    thread = threading.Thread(target=end_blocking_until_stopped, name="locks", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
        engine.dispose()
