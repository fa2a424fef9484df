"""A halt by Telegram while other sessions lock accounts: in turn, as in a storm of alerts, or crosswise."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Barrier, Event, Thread

import psycopg

from shared.db.accounts.audit import Actor
from tests.fixtures.processes import until
from tests.fixtures.worker_env import WorkerEnv
from workers.telegram import acts

SESSIONS, HELD_S = 8, 0.01
LOCK = "SELECT FROM account WHERE id = ANY(%s) FOR NO KEY UPDATE"


def halt(env: WorkerEnv) -> str:
    with env.ledger.transaction() as tx:
        return acts.halt(tx, Actor("telegram:anna", "Telegram account 41"), "a storm")


@contextmanager
def storm(url: str, account_id: int) -> Iterator[None]:
    """Lock the account in so many sessions in turn until the body ends."""
    stopping, begun = Event(), Barrier(SESSIONS + 1)

    def lock_in_turn() -> None:
        with psycopg.connect(url) as connection:
            begun.wait()
            while not stopping.is_set():
                connection.execute(LOCK, [[account_id]])
                time.sleep(HELD_S)
                connection.commit()

    threads = [Thread(target=lock_in_turn) for _ in range(SESSIONS)]
    for thread in threads:
        thread.start()
    begun.wait()
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            thread.join(30)


def test_an_account_that_sessions_lock_in_turn_is_halted(worker_env: WorkerEnv) -> None:
    told = []
    with storm(worker_env.settings.require_database(), worker_env.venue.account_id):
        for _ in range(5):
            told.append(halt(worker_env))
            worker_env.execute("UPDATE account SET halted_at = NULL, halt_reason = NULL")

    assert [] == [one for one in told if not one.startswith("HALTED: ")]


def test_a_session_that_waits_for_what_a_halt_holds_and_holds_what_it_waits_for_fails_no_halt(
    worker_env: WorkerEnv,
) -> None:
    worker_env.execute("INSERT INTO account (id, name, balance, can_trade) VALUES (9999999, 'last', 1, true)")
    locked = Event()

    def lock_crosswise() -> None:
        with psycopg.connect(worker_env.settings.require_database()) as connection:
            connection.execute(LOCK, [[9_999_999]])
            locked.set()
            until(lambda: bool(worker_env.rows("SELECT FROM pg_locks WHERE NOT granted")), 30, "the halt waits")
            with suppress(psycopg.errors.DeadlockDetected):
                connection.execute(LOCK, [[worker_env.venue.account_id]])

    thread = Thread(target=lock_crosswise)
    thread.start()
    locked.wait()
    told = halt(worker_env)
    thread.join(30)

    assert "HALTED: " in told
    assert worker_env.rows("SELECT FROM account WHERE halted_at IS NOT NULL AND id <> 9999999")
