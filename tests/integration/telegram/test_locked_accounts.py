"""A halt or flatten by Telegram while other sessions lock accounts: in turn, as in a storm of alerts, or crosswise."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Barrier, Event, Thread

import psycopg
import pytest

from shared.db.accounts.audit import Actor
from shared.ledger.connection import LedgerUnavailableError
from tests.fixtures.processes import until
from tests.fixtures.telegram_bot import Person, running_bot
from tests.fixtures.telegram_service import TelegramService
from tests.fixtures.worker_env import WorkerEnv
from workers.telegram import acts
from workers.telegram.acts import Act

SESSIONS, HELD_S = 8, 0.01
LOCK = "SELECT FROM account WHERE id = ANY(%s) FOR NO KEY UPDATE"


ADD_ACCOUNT = "INSERT INTO account (id, name, balance, can_trade) VALUES (9999999, 'last', 1, true)"


def halt(env: WorkerEnv) -> None:
    act = Act(Actor("telegram:anna", "Telegram account 41"), 41, "a storm")
    with env.ledger.transaction() as tx:
        locked = acts.begin(tx, act)
    if locked:
        acts.finish(env.ledger, act, locked)


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
    halted = []
    with storm(worker_env.settings.require_database(), worker_env.venue.account_id):
        for _ in range(5):
            halt(worker_env)
            halted += worker_env.rows("SELECT halt_reason FROM account")
            worker_env.execute("UPDATE account SET halted_at = NULL, halt_reason = NULL")

    assert [("a storm",)] * 5 == halted


def test_a_session_that_waits_for_what_a_halt_holds_and_holds_what_it_waits_for_fails_no_halt(
    worker_env: WorkerEnv,
) -> None:
    worker_env.execute(ADD_ACCOUNT)
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
    halt(worker_env)
    thread.join(30)

    assert worker_env.rows("SELECT FROM account WHERE halted_at IS NOT NULL AND id <> 9999999")


@pytest.mark.usefixtures("bot")
@pytest.mark.parametrize(
    ("command", "done"),
    [
        ("/halt", "SELECT FROM account WHERE halted_at IS NOT NULL AND id <> 9999999"),
        ("/flatten", "SELECT FROM job WHERE name = 'orders.flatten' AND state = 'queued'"),
    ],
)
def test_a_free_account_is_halted_or_flattened_while_a_locked_one_is_waited_for(
    worker_env: WorkerEnv, anna: Person, command: str, done: str
) -> None:
    worker_env.execute(ADD_ACCOUNT)
    with psycopg.connect(worker_env.settings.require_database()) as other:
        other.execute(LOCK, [[9_999_999]])
        anna.ask(command)
        count = len(anna.telegram.texts(anna.telegram_id))
        anna.telegram.say(anna.telegram_id, anna.code())
        both = f"{done} AND EXISTS (SELECT FROM pg_locks WHERE NOT granted)"
        until(lambda: bool(worker_env.rows(both)), 30, "the free one is done while the bot waits for the locked one")
        other.rollback()
        told = [anna.answer_after(count + number) for number in range(2)]

    assert told[0].startswith("NOT ")
    assert (
        f"another session locks it: last.\nThat is tried again now: without another answer send {command} again"
        in (told[0])
    )
    assert told[1].startswith(("HALTED: last.", "Flatten requested: last."))
    assert 2 == len(worker_env.rows("SELECT FROM audit WHERE act = %s", command[1:]))


def test_a_bot_that_loses_postgres_while_it_waits_for_a_locked_account_repeats_nothing(
    worker_env: WorkerEnv, telegram: TelegramService, anna: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker_env.execute(ADD_ACCOUNT)

    def fail(*_: object) -> None:
        raise LedgerUnavailableError("Postgres is away")

    monkeypatch.setattr(acts, "finish", fail)
    with psycopg.connect(worker_env.settings.require_database()) as other, running_bot(worker_env, telegram):
        other.execute(LOCK, [[9_999_999]])
        anna.ask("/flatten")
        code = anna.code()
        assert "NOT requested yet" in anna.ask(code)
        assert "Nothing waits for a code." in anna.ask(code), "it takes commands again"

    assert [(worker_env.venue.account_id,)] == worker_env.rows("SELECT account_id FROM flatten_request")
