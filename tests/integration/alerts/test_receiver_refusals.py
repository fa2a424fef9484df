"""Refused alerts and requests: their answers, their rows, and that no token is revealed."""

import json
import random
import socket
from typing import Any

import pytest
import requests

from shared.domain.market_data.symbol import parse_symbol
from tests.fixtures.processes import until
from tests.fixtures.receiver_process import ENTRY, ReceiverProcess, StartReceiver
from tests.fixtures.wire_tap import WireTap

pytest_plugins = ("tests.fixtures.receiver",)


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in ENTRY.items() if name != field}


BAD_ALERTS: dict[str, tuple[bytes | dict[str, Any], int, str]] = {
    "broken JSON": (b'{"action": "buy", ', 400, "body"),
    "no JSON": (b"buy MNQ now", 400, "body"),
    "no object": (b'["buy"]', 400, "body"),
    "empty": (b"", 400, "body"),
    "not UTF-8": (b'{"action": "\xff"}', 400, "body"),
    "byte order mark": (b'\xef\xbb\xbf{"action": "buy"}', 400, "body"),
    "a NUL byte": (b'{"action": "b\x00y"}', 400, "body"),
    "deep nesting": (b"[" * 16_000, 400, "body"),
    "an escaped NUL": (b'{"action": "buy\\u0000"}', 422, "action"),
    "a lone surrogate": (b'{"note": "\\ud800"}', 422, "note"),
    "a name given twice": (b'{"quantity": 1, "quantity": 5}', 422, "quantity"),
    "NaN": (b'{"action": "buy", "symbol": "MNQ", "quantity": NaN}', 422, "quantity"),
    "NaN as a text": (ENTRY | {"quantity": "NaN"}, 422, "quantity"),
    "Infinity": (b'{"action": "buy", "symbol": "MNQ", "quantity": 1, "stop_loss": Infinity}', 422, "stop_loss"),
    "a number of 10000 digits": (
        b'{"action": "buy", "symbol": "MNQ", "quantity": %s}' % (b"9" * 10_000),
        422,
        "quantity",
    ),
    "a fraction of 10000 digits": (
        b'{"action": "buy", "symbol": "MNQ", "quantity": 0.%s}' % (b"1" * 10_000),
        422,
        "quantity",
    ),
    "a number beyond a float": (b'{"action": "buy", "symbol": "MNQ", "quantity": 1e400}', 422, "quantity"),
    "a huge exponent": (b'{"action": "buy", "symbol": "MNQ", "quantity": 1e400000000000}', 422, "quantity"),
    "a deep field": (b'{"note": %s%s}' % (b"[" * 50, b"]" * 50), 422, "note"),
    "a huge quantity": (ENTRY | {"quantity": 10**15}, 422, "quantity"),
    "quantity 0": (ENTRY | {"quantity": 0}, 422, "quantity"),
    "a negative quantity": (ENTRY | {"quantity": -1}, 422, "quantity"),
    "a broken quantity": (ENTRY | {"quantity": 1.5}, 422, "quantity"),
    "a true quantity": (ENTRY | {"quantity": True}, 422, "quantity"),
    "no quantity": (without("quantity"), 422, "quantity"),
    "a quantity in words": (ENTRY | {"quantity": "one"}, 422, "quantity"),
    "no symbol": (without("symbol"), 422, "symbol"),
    "an unknown symbol": (ENTRY | {"symbol": "ABCD"}, 422, "symbol"),
    "a venue's contract of no root we know": (ENTRY | {"symbol": "CON.F.US.NOPE.Z26"}, 422, "symbol"),
    "no action": (without("action"), 422, "action"),
    "an unknown action": (ENTRY | {"action": "hold"}, 422, "action"),
    "an unfilled placeholder": (ENTRY | {"symbol": "{{ticker}}"}, 422, "symbol"),
    "an unfilled placeholder, unquoted": (b'{"action": "buy", "quantity": {{plot_0}}}', 422, "quantity"),
    "a signed distance": (ENTRY | {"stop_loss_ticks": -40}, 422, "stop_loss_ticks"),
    "two stops": (ENTRY | {"stop_loss": 21000}, 422, "stop_loss"),
    "a stop at 0": (without("stop_loss_ticks") | {"stop_loss": 0}, 422, "stop_loss"),
    "two targets": (ENTRY | {"take_profit": 1, "take_profit_ticks": 1}, 422, "take_profit"),
    "an empty id": (ENTRY | {"id": ""}, 422, "id"),
    "a long id": (ENTRY | {"id": "x" * 129}, 422, "id"),
    "2 MB": (b'{"note": "%s"}' % (b"x" * 2_000_000), 413, "body"),
}


def test_every_bad_alert_is_a_problem_with_a_field_and_a_hint(receiver: ReceiverProcess) -> None:
    answers = {}
    for name, (body, _, _) in BAD_ALERTS.items():
        answer = receiver.post(body)
        problem = answer.json()
        answers[name] = (answer.status_code, problem["field"])
        assert "application/problem+json" == answer.headers["Content-Type"]
        assert {"type", "title", "status", "detail", "field", "hint"} == problem.keys()
        assert all(problem.values())
        assert answer.status_code == problem["status"]

    assert {name: (status, field) for name, (_, status, field) in BAD_ALERTS.items()} == answers
    assert 0 == receiver.count("job")
    stored = receiver.rows("SELECT verdict, octet_length(body) <= 16384, reason IS NOT NULL FROM alert")
    assert [("refused", True, True)] * len(BAD_ALERTS) == stored
    assert receiver.token not in receiver.log()


def test_a_refused_alert_is_stored_unchanged_with_the_reason(receiver: ReceiverProcess) -> None:
    receiver.post(b'{"action": "buy", "quantity": 0.0, "symbol": "MNQ"}')
    receiver.post(b'{"action": "buy\x00\xff')

    stored = receiver.rows("SELECT body, payload->>'quantity', reason, job_id FROM alert ORDER BY id")
    assert (b'{"action": "buy", "quantity": 0.0, "symbol": "MNQ"}', "0.0", "422: invalid quantity 0.0", None) == stored[
        0
    ]
    assert (b'{"action": "buy\x00\xff', None, None) == (stored[1][0], stored[1][1], stored[1][3])


def test_a_wrong_token_gets_a_bare_404_and_stores_nothing(receiver: ReceiverProcess) -> None:
    removed = receiver.add_hook("second")
    receiver.remove_hook("second")
    wrong = [receiver.token[:-1], receiver.token + "x", removed, "%00", "%ff", "\N{SNOWMAN}", "x" * 9_000]

    answers = [receiver.post(body, token) for token in wrong for body in (ENTRY, b"{")]
    elsewhere = [receiver.get(path) for path in ("/", "/hooks/tv/", "/jobs/nonsense", f"/jobs/{'0' * 32}")]

    assert {(404, answers[0].content)} == {(answer.status_code, answer.content) for answer in answers + elsewhere}
    assert "field" not in answers[0].json()
    assert 0 == receiver.count("alert")


def test_a_wrong_method_gets_the_allowed_one(receiver: ReceiverProcess) -> None:
    answer = receiver.get(f"/hooks/tv/{receiver.token}")

    assert (405, "POST") == (answer.status_code, answer.headers["Allow"])
    assert "application/problem+json" == answer.headers["Content-Type"]


def test_the_server_is_live_and_not_named(receiver: ReceiverProcess) -> None:
    answer = receiver.get("/live")

    assert (200, {"status": "live"}) == (answer.status_code, answer.json())
    assert "Server" not in answer.headers


def test_a_body_is_counted_while_it_streams(receiver: ReceiverProcess) -> None:
    url = f"{receiver.url}/hooks/tv/{receiver.token}"

    answer = requests.post(url, data=(b"x" * 20_000 for _ in range(100)), timeout=200)
    fits = requests.post(url, data=(part for part in (json.dumps(ENTRY).encode(), b" " * 16_000)), timeout=200)

    assert (413, 202) == (answer.status_code, fits.status_code)
    assert [(16_384,)] == receiver.rows("SELECT octet_length(body) FROM alert WHERE verdict = 'refused'")


def test_the_content_type_does_not_matter(receiver: ReceiverProcess) -> None:
    url = f"{receiver.url}/hooks/tv/{receiver.token}"

    for content_type in ("text/plain; charset=utf-8", "application/x-www-form-urlencoded", "image/png", "\xff", ""):
        answer = requests.post(url, json.dumps(ENTRY), headers={"Content-Type": content_type}, timeout=200)
        assert 202 == answer.status_code


@pytest.mark.usefixtures("broker")  # with room for a wake-up
def test_a_token_is_in_no_log_and_on_no_wire_behind_the_receiver(
    receiver: ReceiverProcess, to_postgres: WireTap, to_broker: WireTap
) -> None:
    for body in (ENTRY, b"{", b"x" * 20_000):
        receiver.post(body)
    until(lambda: b"alerts.handle_alert" in to_broker.heard)
    to_postgres.refuse()
    assert receiver.post(ENTRY).json()["spooled"]
    receiver.get(f"/hooks/tv/{receiver.token}")
    receiver.get(f"/hooks/tv/{receiver.token}/")
    _send_raw(receiver, b"POST /hooks/tv/" + receiver.token.encode() + b"\xff HTTP/1.1\r\nHost: x\r\n\r\n")
    _send_raw(
        receiver, b"POST /hooks/tv/" + receiver.token.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"
    )

    assert "alert accepted" in receiver.log()
    assert "Traceback" not in receiver.log()
    for place in (receiver.log().encode(), bytes(to_postgres.heard), bytes(to_broker.heard)):
        assert receiver.token.encode() not in place
        assert place


def test_a_request_that_is_not_http_is_refused(receiver: ReceiverProcess) -> None:
    assert _send_raw(receiver, b"POST /hooks/tv/\xff HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    broken_chunk = b"POST /hooks/tv/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
    assert _send_raw(receiver, broken_chunk).startswith(b"HTTP/1.1 400 ")
    assert "Traceback" not in receiver.log()


def test_a_body_that_does_not_arrive_gets_a_408(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(body_timeout_s=1)
    _open_partial_request(receiver).close()  # a sender that disconnects in the middle
    with _open_partial_request(receiver) as late:
        until(lambda: receiver.post(ENTRY).status_code == 202, 60, "an answer to another sender meanwhile")
        # To the end: the receiver closes the connection and does not wait for the rest.
        answer = late.makefile("rb").read()

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"field":"body"' in answer
    assert "Traceback" not in receiver.log()


def test_mangled_alerts_never_make_the_receiver_fail(receiver: ReceiverProcess) -> None:
    # An accepted body has passed the JSON parser of Postgres too, so this also compares the two parsers.
    rng = random.Random(20261123)
    statuses = set()
    for _ in range(400):
        raw = bytearray(json.dumps(ENTRY | {"note": "\\ud83d\\ude80 \U0001f680 \x7f", "x": [1e300, -0.0]}).encode())
        for _ in range(rng.choice((0, 1, 1, 2, 8))):
            raw[rng.randrange(len(raw))] = rng.choice((rng.randrange(256), 0x22, 0x5C, 0x30, 0x65, 0x2E))
        statuses.add(receiver.post(bytes(raw)).status_code)

    assert {202, 400, 422} == statuses
    assert "Traceback" not in receiver.log()


def _open_partial_request(receiver: ReceiverProcess) -> socket.socket:
    sender = _open_connection(receiver)
    head = f"POST /hooks/tv/{receiver.token} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
    sender.sendall(head.encode() + b'{"action"')
    return sender


def _send_raw(receiver: ReceiverProcess, request: bytes) -> bytes:
    with _open_connection(receiver) as sender:
        sender.sendall(request)
        return sender.makefile("rb").read()


def _open_connection(receiver: ReceiverProcess) -> socket.socket:
    host, port = receiver.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=200)


@pytest.mark.parametrize("symbol", ["MES", "MNQU2031", "ES1!"])
def test_an_entry_in_a_contract_that_is_not_traded_is_refused_at_once_with_those_that_are(
    receiver: ReceiverProcess, symbol: str
) -> None:
    receiver.track("CON.F.US.MNQ.Z26")

    answer = receiver.post(ENTRY | {"symbol": symbol})

    assert (422, "symbol") == (answer.status_code, answer.json()["field"])
    hint = answer.json()["hint"]
    assert "traded are CON.F.US.MNQ.Z26" in hint
    root = parse_symbol(symbol).root.name
    assert (root != "MNQ") == (f"to track {root} too, run `tickwork config set contracts MNQ,{root}`" in hint)
    assert 0 == receiver.count("job")
    assert 202 == receiver.post({"action": "close", "symbol": symbol}).status_code, "an exit always passes"
    assert 202 == receiver.post(ENTRY | {"symbol": "MNQZ6"}).status_code
