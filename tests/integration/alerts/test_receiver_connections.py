"""Connections to the receiver: slow headers, large headers, too many of them, and senders that never read."""

import json
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from tests.fixtures.processes import until
from tests.fixtures.receiver_process import ENTRY, ReceiverProcess, StartReceiver
from web.receiver import body, deadline, server
from web.receiver.server import MAX_CONNECTIONS, MAX_HEADER_BYTES

pytest_plugins = ("tests.fixtures.receiver",)
TIMEOUT_S = 0.5


@pytest.fixture
def brisk(start_receiver: StartReceiver) -> ReceiverProcess:
    """A receiver that waits half a second for headers."""
    return start_receiver(headers_timeout_s=TIMEOUT_S)


@pytest.fixture
def many_files() -> Iterator[None]:
    """As many open files as a flood of connections needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connect(receiver: ReceiverProcess) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(receiver.url.rsplit(":", 1)[-1])), timeout=60)


def message(receiver: ReceiverProcess, *headers: str) -> bytes:
    raw = json.dumps(ENTRY).encode()
    lines = [f"POST /hooks/tv/{receiver.token} HTTP/1.1", "Host: x", f"Content-Length: {len(raw)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + raw


def read_all(connection: socket.socket) -> bytes:
    """Return what the receiver sends until it closes."""
    found = bytearray()
    try:
        while data := connection.recv(65_536):
            found += data
    except ConnectionResetError:
        pass  # it closed before it had read all that we sent
    return bytes(found)


def read_answer(connection: socket.socket) -> bytes:
    """Return one answer, whose body is a JSON object without another in it."""
    found = b""
    while not found.endswith(b"}"):
        found += connection.recv(65_536)
    return found


def test_the_deadlines_of_headers_body_and_database_together_are_below_tradingviews_three_seconds() -> None:
    assert 3 > server.HEADERS_TIMEOUT_S + body._TIMEOUT_S + deadline.TIMEOUT_S  # noqa: SLF001


def test_a_connection_without_a_request_is_closed_without_an_answer(brisk: ReceiverProcess) -> None:
    with closing(connect(brisk)) as connection:
        assert b"" == read_all(connection)


@pytest.mark.parametrize("trickle", [b"x", b"\r\n"], ids=["bytes of a header", "empty lines"])
def test_trickled_bytes_do_not_extend_the_deadline_of_headers(brisk: ReceiverProcess, trickle: bytes) -> None:
    began = time.monotonic()
    with closing(connect(brisk)) as connection:
        connection.settimeout(TIMEOUT_S / 10)
        connection.sendall(b"\r\n" if trickle == b"\r\n" else b"POST /hooks/tv/token HTTP/1.1\r\nHost: ")
        answer = b""
        while True:
            try:
                answer = read_all(connection)
                break
            except TimeoutError:
                connection.sendall(trickle)
            assert time.monotonic() < began + 60
    assert time.monotonic() >= began + TIMEOUT_S
    assert answer == b"" if trickle == b"\r\n" else answer.startswith(b"HTTP/1.1 408 ")


def test_a_second_request_has_a_deadline_of_its_own_and_an_idle_connection_stays(brisk: ReceiverProcess) -> None:
    with closing(connect(brisk)) as connection:
        for _ in range(3):
            connection.sendall(message(brisk))
            assert read_answer(connection).startswith(b"HTTP/1.1 202 ")
            time.sleep(1.5 * TIMEOUT_S)
        connection.sendall(b"POST /")
        assert read_all(connection).startswith(b"HTTP/1.1 408 ")


def test_the_rest_of_a_request_that_is_answered_has_a_deadline(brisk: ReceiverProcess) -> None:
    with closing(connect(brisk)) as connection:
        connection.sendall(b"GET /live HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        assert read_all(connection).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("is_one_header", [True, False], ids=["one header", "many headers"])
@pytest.mark.parametrize("is_at_once", [True, False], ids=["at once", "in parts"])
def test_large_headers_are_a_431_and_the_end_of_the_connection(
    brisk: ReceiverProcess, *, is_one_header: bool, is_at_once: bool
) -> None:
    large = [f"X: {'x' * MAX_HEADER_BYTES}"] if is_one_header else ["X: x"] * (MAX_HEADER_BYTES // 2)
    raw = message(brisk, *large)
    with closing(connect(brisk)) as connection:
        for start in range(0, len(raw), len(raw) if is_at_once else 1000):
            try:
                connection.sendall(raw[start : start + (len(raw) if is_at_once else 1000)])
            except (BrokenPipeError, ConnectionResetError):
                break
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 431 ") or (not is_at_once and answer == b"")
    assert 0 == brisk.count("alert")
    assert 202 == brisk.post(ENTRY, X="x" * (MAX_HEADER_BYTES // 2)).status_code


def test_a_large_body_does_not_count_as_headers(brisk: ReceiverProcess) -> None:
    assert 202 == brisk.post(ENTRY | {"note": "x" * 16_000}).status_code
    assert 413 == brisk.post(ENTRY | {"note": "x" * 200_000}).status_code


def test_bytes_that_are_no_request_are_a_400_and_no_line_in_the_log(brisk: ReceiverProcess) -> None:
    before = brisk.log()
    for raw in (
        b"\x16\x03\x01\x02\x00",
        b"POST\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\n\r\n",
    ):
        with closing(connect(brisk)) as connection:
            connection.sendall(raw)
            assert read_all(connection).startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 404 ")), raw
    assert before == brisk.log()


@pytest.mark.usefixtures("many_files")
def test_above_the_cap_idle_connections_are_closed_first_then_the_oldest(start_receiver: StartReceiver) -> None:
    receiver = start_receiver()
    with ExitStack() as opened:
        oldest = opened.enter_context(closing(connect(receiver)))
        idle = opened.enter_context(closing(connect(receiver)))
        idle.sendall(message(receiver))
        assert read_answer(idle).startswith(b"HTTP/1.1 202 ")
        silent = [opened.enter_context(closing(connect(receiver))) for _ in range(MAX_CONNECTIONS - 1)]
        assert b"" == read_all(idle)
        assert 202 == receiver.post(ENTRY).status_code
        assert b"" == read_all(oldest)
        silent[-1].sendall(message(receiver))
        assert read_answer(silent[-1]).startswith(b"HTTP/1.1 202 ")


def test_a_sender_that_never_reads_its_answers_loses_its_connection(brisk: ReceiverProcess) -> None:
    with closing(connect(brisk)) as connection:
        connection.settimeout(1)

        def is_cut() -> bool:
            try:
                connection.sendall(b"GET /v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")
            except TimeoutError:
                return False
            except (BrokenPipeError, ConnectionResetError):
                return True
            return False

        until(is_cut, 60, "the end of the connection", every=0)
    assert brisk.is_live()


def test_what_follows_an_alert_and_is_no_request_takes_no_answer_from_it(brisk: ReceiverProcess) -> None:
    with closing(connect(brisk)) as connection:
        connection.sendall(message(brisk) + b"\x00\x01\r\n\r\n")
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 202 ")
    assert 1 == answer.count(b"HTTP/1.1 ") == brisk.count("job")


def test_a_sender_that_disconnects_leaves_its_further_requests_without_a_failure(brisk: ReceiverProcess) -> None:
    for _ in range(20):
        with closing(connect(brisk)) as connection:
            connection.sendall(message(brisk) * 10)
    assert 202 == brisk.post(ENTRY).status_code
    assert "Traceback" not in brisk.log()
