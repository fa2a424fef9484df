"""Floods of connections and requests: they take the place of each other, and of no alert."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
import pytest

from tests.fixtures.api_client import ApiClient
from tests.fixtures.processes import until
from tests.fixtures.receiver_process import ENTRY, ReceiverProcess, StartReceiver
from tests.integration.alerts.test_receiver_connections import connect, message, read_all, read_answer
from web.receiver.server import MAX_PIPELINED

pytest_plugins = ("tests.fixtures.receiver",)

CONNECTIONS = "web.receiver.server:MAX_CONNECTIONS"
LIVE = b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n"
STORES = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%INTO job%'"


@contextmanager
def locked_jobs(receiver: ReceiverProcess) -> Iterator[psycopg.Connection]:
    """Let whatever stores a job wait until the connection that is yielded rolls back."""
    with psycopg.connect(receiver.database_url) as other:
        other.execute("LOCK TABLE job")
        yield other


def test_a_new_alert_takes_the_place_of_the_oldest_request_that_is_still_sent(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(constants={CONNECTIONS: 3})
    slow = [connect(receiver) for _ in range(3)]
    for connection in slow:
        connection.sendall(message(receiver, "Expect: 100-continue")[:-1])
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")  # its body is awaited

    assert 202 == receiver.post(ENTRY).status_code
    assert b"" == read_all(slow[0])
    for connection in slow[1:]:
        connection.sendall(b"}")
        assert read_answer(connection).startswith(b"HTTP/1.1 202 ")
    for connection in slow:
        connection.close()


@pytest.mark.parametrize("is_alert", [True, False], ids=["an alert", "a job"])
def test_a_request_that_is_being_stored_keeps_its_connection(start_receiver: StartReceiver, *, is_alert: bool) -> None:
    receiver = start_receiver(constants={CONNECTIONS: 2})
    request = message(receiver) if is_alert else job_request(receiver)
    with closing(connect(receiver)) as stored, locked_jobs(receiver) as other:
        stored.sendall(request)
        until(lambda: receiver.rows(STORES) == [(True,)], 60, "a request that is being stored")
        with closing(connect(receiver)) as younger, closing(connect(receiver)) as new:
            new.sendall(LIVE)
            assert read_answer(new).startswith(b"HTTP/1.1 200 ")
            assert b"" == read_all(younger)

        other.rollback()
        assert read_answer(stored).startswith(b"HTTP/1.1 202 ")


def test_while_every_connection_stores_something_a_new_one_is_ended(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(constants={CONNECTIONS: 1})
    with closing(connect(receiver)) as stored, locked_jobs(receiver) as other:
        stored.sendall(message(receiver))
        until(lambda: receiver.rows(STORES) == [(True,)], 60, "a request that is being stored")
        with closing(connect(receiver)) as new:
            assert b"" == read_all(new)

        other.rollback()
        assert read_answer(stored).startswith(b"HTTP/1.1 202 ")


def test_in_a_crowd_a_connection_ends_with_its_answer(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(constants={CONNECTIONS: 4})
    with closing(connect(receiver)), closing(connect(receiver)) as connection:
        connection.sendall(LIVE)
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" in answer


def test_of_too_many_requests_at_once_only_the_one_that_is_served_is_answered(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    with closing(connect(receiver)) as connection:
        connection.sendall(message(receiver) + LIVE * (MAX_PIPELINED + 1))
        answers = read_all(connection)
    assert answers.startswith(b"HTTP/1.1 202 ")
    assert 1 == answers.count(b"HTTP/1.1 ")

    with closing(connect(receiver)) as connection:
        last = LIVE.replace(b"Host: x", b"Host: x\r\nConnection: close")
        connection.sendall(message(receiver) + LIVE * (MAX_PIPELINED - 1) + last)
        assert MAX_PIPELINED + 1 == read_all(connection).count(b"HTTP/1.1 ")


def job_request(receiver: ReceiverProcess) -> bytes:
    with closing(ApiClient(receiver)) as client:
        lines = (
            "POST /v1/jobs/upkeep.do_nothing HTTP/1.1",
            f"Authorization: Bearer {client.token}",
            "Content-Length: 2",
        )
    return "\r\n".join([*lines, "", "{}"]).encode()
