"""Bytes of a request that are neither headers nor body: chunks, what stands between them, and trailers."""

import json
import socket
from contextlib import closing, suppress

import pytest

from tests.fixtures.receiver_process import ENTRY, ReceiverProcess
from tests.integration.alerts.test_receiver_connections import connect, read_all, read_answer
from web.receiver.server import MAX_CHUNKS, MAX_HEADERS

pytest_plugins = ("tests.fixtures.receiver",)

RAW = json.dumps(ENTRY).encode()
END = b"0\r\n\r\n"


def chunked(receiver: ReceiverProcess, *chunks: bytes) -> bytes:
    head = f"POST /hooks/tv/{receiver.token} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head.encode() + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)


def test_a_body_in_many_chunks_is_a_400(receiver: ReceiverProcess) -> None:
    for size, status in ((MAX_CHUNKS - 1, b"202"), (MAX_CHUNKS, b"400")):  # the end is a chunk too
        with closing(connect(receiver)) as connection:
            connection.sendall(chunked(receiver, *(bytes([one]) for one in RAW.ljust(size))) + END)
            assert read_answer(connection).startswith(b"HTTP/1.1 %s " % status)
            if status == b"400":
                assert b"" == read_all(connection)
    assert 1 == receiver.count("alert")


def test_a_trailer_is_a_400_and_changes_no_header(receiver: ReceiverProcess) -> None:
    with closing(connect(receiver)) as connection:
        connection.sendall(chunked(receiver, RAW) + b"0\r\nX-Forwarded-For: 52.89.214.238\r\n\r\n")
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"or trailers" in answer
    assert 0 == receiver.count("alert")


@pytest.mark.parametrize(
    "start", [b"0\r\nX: ", b"1;x=", b""], ids=["a trailer", "a chunk's extension", "a chunk's size"]
)
def test_what_stands_around_the_chunks_and_never_ends_is_the_end_of_the_connection(
    receiver: ReceiverProcess, start: bytes
) -> None:
    with closing(connect(receiver)) as connection:
        connection.sendall(chunked(receiver, RAW) + start)
        with suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(1000):
                connection.sendall(b"0" * 1000)
        assert read_all(connection)[:13] in {
            b"HTTP/1.1 400 ",
            b"",
        }  # the latter if it was closed before we had sent all
    assert 0 == receiver.count("alert")


def test_a_body_in_large_chunks_that_arrive_one_by_one_is_taken(receiver: ReceiverProcess) -> None:
    with closing(connect(receiver)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(chunked(receiver, RAW))
        for _ in range(15):
            connection.sendall(b"3e8\r\n%s\r\n" % (b" " * 1000))
        connection.sendall(END)
        assert read_answer(connection).startswith(b"HTTP/1.1 202 ")


def test_a_trailer_after_the_answer_gets_no_second_one(receiver: ReceiverProcess) -> None:
    with closing(connect(receiver)) as connection:
        connection.sendall(b"GET /live HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert read_answer(connection).startswith(b"HTTP/1.1 200 ")
        connection.sendall(b"0\r\nX: y\r\n\r\n")
        assert b"" == read_all(connection)


@pytest.mark.parametrize(("count", "status"), [(MAX_HEADERS - 2, b"200"), (MAX_HEADERS, b"431"), (16_000, b"431")])
def test_more_headers_than_a_sender_needs_are_a_431(receiver: ReceiverProcess, count: int, status: bytes) -> None:
    """Each costs time however small it is."""
    with closing(connect(receiver)) as connection:
        connection.sendall(b"GET /live HTTP/1.1\r\nHost: x\r\n" + b"a:\r\n" * count + b"\r\n")
        answer = read_answer(connection)

    assert answer.startswith(b"HTTP/1.1 %s " % status), answer
    assert (b"or more than 100" in answer) is (status == b"431")
