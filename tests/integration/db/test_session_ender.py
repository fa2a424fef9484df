"""Sessions of other roles that keep ours waiting, on a server of one's own: ended, or named with what to grant."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import psycopg
import pytest
from psycopg.errors import LockNotAvailable

from shared.db.engine import make_engine
from shared.db.upkeep.blocking_sessions import find_blocking, find_missing_grant
from shared.db.upkeep.session_ender import SessionEnder
from tests.fixtures.held_locks import grant, new_role
from tests.fixtures.processes import until

LOCK = "LOCK TABLE account"


@pytest.fixture
def app_url(database_url: str) -> Iterator[str]:
    """The database for a role of our programs, which no one has granted anything."""
    with new_role(database_url) as url:
        yield url


@contextmanager
def waiting_program(url: str) -> Iterator[Thread]:
    """Run a program of ours that needs a row of the account table, and tries again when it meets a lock."""

    def lock_account() -> None:
        with psycopg.connect(url, autocommit=True, application_name="tickwork test") as connection:
            connection.execute("SET lock_timeout = '1s'")
            while True:
                try:
                    connection.execute("UPDATE account SET balance = balance")
                except LockNotAvailable:
                    continue
                return

    thread = Thread(target=lock_account)
    thread.start()
    yield thread
    thread.join(60)
    assert not thread.is_alive()


def missing_grant(url: str) -> str:
    engine = make_engine(url, program="test", pool_size=1)
    with engine.connect() as connection:
        found = find_missing_grant(connection)
    engine.dispose()
    return found or ""


def test_a_session_whose_state_is_hidden_is_named_with_the_grant_and_ended_once_it_is_given(
    database_url: str, app_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    statement = missing_grant(app_url)
    assert statement.startswith("GRANT pg_read_all_stats, pg_signal_backend TO role_")
    with new_role(database_url) as person_url, psycopg.connect(person_url, application_name="psql") as sits:
        name = f"session {sits.info.backend_pid} (psql, user {sits.info.user}), whose state this role may not see"
        sits.execute("SELECT 1 FROM account")
        sits.execute("LOCK TABLE account IN EXCLUSIVE MODE")
        with waiting_program(app_url), SessionEnder(app_url, "relay"):
            until(lambda: name in caplog.text, 30, "the name of the session")
            assert 1 == caplog.text.count(name)
            assert f"run `{statement}` as a superuser" in caplog.text
            grant(database_url, statement)
            until(
                lambda: f"ended, as tickwork test waited for its locks: session {sits.info.backend_pid}" in caplog.text,
                30,
            )
        with pytest.raises(psycopg.OperationalError):
            sits.execute("SELECT 1")
    assert not missing_grant(app_url)


def test_a_superusers_session_is_named_and_said_to_be_a_superusers(
    database_url: str, app_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    grant(database_url, missing_grant(app_url))
    with psycopg.connect(database_url, application_name="psql") as sits:
        sits.execute(LOCK)
        name = f"session {sits.info.backend_pid} (psql, user {sits.info.user})"
        with waiting_program(app_url), SessionEnder(app_url, "relay"):
            until(lambda: "Only a superuser may end it: commit or roll back there" in caplog.text, 30)
            sits.rollback()
    assert f"tickwork test waits for its locks: {name}, idle in" in caplog.text


def test_a_superuser_lacks_no_grant(database_url: str) -> None:
    assert not missing_grant(database_url)


def test_a_session_that_blocks_is_found_by_a_role_that_may_not_see_its_state(database_url: str, app_url: str) -> None:
    engine = make_engine(app_url, program="test", pool_size=1)
    with psycopg.connect(database_url) as sits:
        sits.execute(LOCK)
        with waiting_program(app_url), engine.connect() as connection:

            def is_found() -> bool:
                connection.rollback()  # within one transaction the sessions are shown as they were at first
                return bool(find_blocking(connection))

            until(is_found, what="the session")
            sits.rollback()
    engine.dispose()
