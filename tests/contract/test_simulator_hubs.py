"""The SignalR JSON protocol of the hubs: negotiation, tokens, handshake, calls, pings and closing."""

import json
from collections.abc import Iterator
from contextlib import suppress
from signal import SIGTERM

import pytest
from requests import post
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from simulator.hubs import connection
from tests.fixtures.hubs import PING, RS, ConnectHub, StartHubs
from tests.fixtures.venue import MNQ, RunningVenue, StartVenue, starting_venues

TEXT_ONLY = [{"transport": "WebSockets", "transferFormats": ["Text", "Binary"]}]


CLOSED_WITH_ERROR = {"type": 7, "error": "Connection closed with an error.", "allowReconnect": True}


@pytest.fixture(scope="module")
def shared_venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVenue]:
    with starting_venues(tmp_path_factory.mktemp("hubs")) as start:
        yield start()


@pytest.fixture
def venue(shared_venue: RunningVenue) -> Iterator[RunningVenue]:
    yield shared_venue
    shared_venue.remove_faults()


@pytest.mark.parametrize("hub", ["user", "market"])
def test_a_client_may_negotiate_first(venue: RunningVenue, connect_hub: ConnectHub, hub: str) -> None:
    token = venue.log_in()
    answer = post(f"{venue.url}/hubs/{hub}/negotiate?negotiateVersion=1&access_token={token}", timeout=30)
    found = answer.json()

    assert (1, TEXT_ONLY) == (found["negotiateVersion"], found["availableTransports"])
    assert {"negotiateVersion", "connectionId", "connectionToken", "availableTransports"} == set(found)
    assert connect_hub(venue, hub, token=f"{token}&id={found['connectionToken']}").invoke("X")


def test_an_older_client_negotiates_without_a_connection_token(venue: RunningVenue) -> None:
    answer = venue.send("/hubs/user/negotiate", {}).json()

    assert (0, False) == (answer["negotiateVersion"], "connectionToken" in answer)


@pytest.mark.parametrize("hub", ["user", "market"])
@pytest.mark.parametrize("query", ["", "?access_token=", "?access_token=a.b.c", "?access_token=%ff%00"])
def test_a_bad_token_is_401_on_upgrade_and_on_negotiation(venue: RunningVenue, hub: str, query: str) -> None:
    url = f"{venue.url.replace('http', 'ws', 1)}/hubs/{hub}{query}"
    with pytest.raises(InvalidStatus) as refused, connect(url, open_timeout=60):
        pass

    assert 401 == refused.value.response.status_code
    assert 401 == post(f"{venue.url}/hubs/{hub}/negotiate{query}", timeout=30).status_code
    assert "ERROR" not in (venue.state / "stderr").read_text()  # a refusal is no fault


def test_a_token_may_come_as_a_header(venue: RunningVenue) -> None:
    header = {"Authorization": f"Bearer {venue.log_in()}"}
    with connect(
        f"{venue.url.replace('http', 'ws', 1)}/hubs/user", additional_headers=header, open_timeout=60
    ) as socket:
        socket.send('{"protocol":"json","version":1}' + RS)

        assert "{}" + RS == socket.recv()


@pytest.mark.parametrize(
    ("first", "error"),
    [
        ({"protocol": "messagepack", "version": 1}, "The protocol 'messagepack' is not supported."),
        ({"protocol": "json", "version": 2}, "The server does not support version 2 of the 'json' protocol."),
        ({"type": 1, "target": "SubscribeAccounts", "arguments": []},
         "An unexpected error occurred during connection handshake."),
        ("no object", "An unexpected error occurred during connection handshake."),
    ],
)  # fmt: skip
def test_an_invalid_handshake_gets_an_error_and_is_closed(
    venue: RunningVenue, connect_hub: ConnectHub, first: object, error: str
) -> None:
    client = connect_hub(venue, greeted=False)
    client.say(first)
    code = client.read_until_closed()

    assert (1000, [{"error": error}]) == (code, client.records)


def test_a_handshake_with_version_zero_is_accepted(venue: RunningVenue, connect_hub: ConnectHub) -> None:
    client = connect_hub(venue, greeted=False)
    client.say({"protocol": "json", "version": 0})

    assert [{}] == client.read()


def test_records_may_share_a_frame_or_span_frames(venue: RunningVenue, connect_hub: ConnectHub) -> None:
    client = connect_hub(venue, greeted=False)
    calls = [{"type": 1, "target": "SubscribeAccounts", "arguments": [], "invocationId": str(n)} for n in range(3)]
    text = "".join(json.dumps(record) + RS for record in [{"protocol": "json", "version": 1}, *calls])
    for piece in (text[:10], text[10:40], text[40:-1], text[-1:]):
        client.socket.send(piece)
    client.next(lambda record: record.get("invocationId") == "2")

    assert [{}, *({"type": 3, "invocationId": str(n)} for n in range(3))] == client.records


def test_a_call_without_an_id_is_executed_and_not_answered(venue: RunningVenue, connect_hub: ConnectHub) -> None:
    client = connect_hub(venue)
    client.say({"type": 1, "target": "SubscribeOrders", "arguments": [venue.account_id]})
    client.say({"type": 1, "target": "NoSuchMethod", "arguments": []})
    client.invoke("SubscribeAccounts")
    placed = venue.place(type=1, limitPrice=20000)
    events = client.wait_for_events(1)

    assert [{}, {"type": 3, "invocationId": "1"}] == client.records[:2]
    assert ("GatewayUserOrder", placed["orderId"]) == (events[0][0], events[0][1][0]["data"]["id"])


@pytest.mark.parametrize(
    ("hub", "target", "arguments", "error"),
    [
        ("user", "SubscribeEverything", [], "Method does not exist."),
        ("market", "SubscribeContractDepth", [MNQ], "Method does not exist."),
        ("market", "SubscribeOrders", [20001], "Method does not exist."),
        ("user", "subscribeOrders", [20001], "Method does not exist."),
        ("user", "SubscribeOrders", ["20001"], "Failed to invoke 'SubscribeOrders' due to an error on the server."),
        ("user", "SubscribeOrders", [], "Failed to invoke 'SubscribeOrders' due to an error on the server."),
        ("user", "UnsubscribeTrades", [1, 2], "Failed to invoke 'UnsubscribeTrades' due to an error on the server."),
        ("user", "SubscribeAccounts", [1], "Failed to invoke 'SubscribeAccounts' due to an error on the server."),
        ("user", "SubscribePositions", [1.5], "Failed to invoke 'SubscribePositions' due to an error on the server."),
        ("user", "SubscribeOrders", [20002], "Account not found."),
    ],
)
def test_a_wrong_call_is_completed_with_an_error(  # noqa: PLR0917  # a row of the table above
    venue: RunningVenue, connect_hub: ConnectHub, hub: str, target: str, arguments: list[object], error: str
) -> None:
    client = connect_hub(venue, hub)

    assert {"type": 3, "invocationId": "1", "error": error} == client.invoke(target, *arguments)
    assert "error" in client.invoke("NoSuchMethod")


def test_unknown_message_types_are_ignored_and_streams_are_refused(
    venue: RunningVenue, connect_hub: ConnectHub
) -> None:
    client = connect_hub(venue)
    client.say(
        {"type": 99}, {"type": 2, "invocationId": "1", "item": 1}, {"type": 5, "invocationId": "1"}, {"type": 8},
        {"type": 9, "sequenceId": 1}, {"type": 3, "invocationId": "s"}, {"type": 6},
        {"type": 4, "invocationId": "s", "target": "SubscribeAccounts", "arguments": []},
    )  # fmt: skip
    assert "error" in client.invoke("NoSuchMethod")
    _, refused, _ = client.records

    assert ("s", 3) == (refused["invocationId"], refused["type"])
    assert "non-streaming" in refused["error"]


@pytest.mark.parametrize(
    "text",
    [
        "{", "[]", "{}", '{"type":"1"}', '{"type":1,"target":"X"}', '{"type":4,"target":"X"}',
        *(f'{{"type":6,"x":{"[" * levels}{"]" * levels}}}' for levels in (64, 3_000)),
    ],
    ids=lambda text: text[:30],
)  # fmt: skip
def test_a_malformed_record_ends_the_connection(venue: RunningVenue, connect_hub: ConnectHub, text: str) -> None:
    client = connect_hub(venue)
    client.socket.send(text + RS)
    code = client.read_until_closed()

    assert (1000, CLOSED_WITH_ERROR) == (code, client.records[-1])


def test_a_record_may_have_64_levels(venue: RunningVenue, connect_hub: ConnectHub) -> None:
    client = connect_hub(venue)
    client.socket.send(f'{{"type":6,"x":{"[" * 63}{"]" * 63}}}{RS}')

    assert "error" not in client.invoke("SubscribeAccounts")


def test_an_endless_record_ends_the_connection(venue: RunningVenue, connect_hub: ConnectHub) -> None:
    client = connect_hub(venue)
    client.socket.send("x" * 40_000)

    assert 1000 == client.read_until_closed()


def test_a_client_may_close_the_connection(venue: RunningVenue, connect_hub: ConnectHub) -> None:
    client = connect_hub(venue)
    client.say({"type": 7})

    assert 1000 == client.read_until_closed()


def test_a_venue_that_stops_closes_its_clients_and_allows_a_reconnect(
    start_venue: StartVenue, connect_hub: ConnectHub
) -> None:
    venue = start_venue()
    client = connect_hub(venue)
    venue.process.terminate()
    code = client.read_until_closed()

    assert (1000, {"type": 7, "allowReconnect": True}) == (code, client.records[-1])
    assert -SIGTERM == venue.process.wait(60)


def test_a_hub_without_events_pings(hubs_here: StartHubs, connect_hub: ConnectHub) -> None:
    client = connect_hub(hubs_here(ping=0.05))
    while client.pings < 2:
        assert [] == client.read()


def test_a_client_without_a_handshake_is_closed(hubs_here: StartHubs, connect_hub: ConnectHub) -> None:
    client = connect_hub(hubs_here(handshake=0.2, ping=0.05), greeted=False)
    code = client.read_until_closed()

    assert (1000, [{"error": "Handshake was canceled."}]) == (code, client.records)


def test_a_silent_client_is_closed(hubs_here: StartHubs, connect_hub: ConnectHub) -> None:
    client = connect_hub(hubs_here(client=0.3))
    code = client.read_until_closed()

    assert (1000, [{}, CLOSED_WITH_ERROR]) == (code, client.records)


def test_a_client_that_only_pings_stays_connected(
    hubs_here: StartHubs, connect_hub: ConnectHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(connection, "monotonic", lambda: now)
    client = connect_hub(hubs_here(client=30))
    for _ in range(5):
        now += 20  # two steps without a ping exceed the 30 s
        client.say(PING)
        assert "error" not in client.invoke("SubscribeAccounts")  # the ping has been read

    assert "error" not in client.invoke("SubscribeAccounts")


def test_a_client_that_does_not_read_is_dropped_and_others_are_served(
    hubs_here: StartHubs, connect_hub: ConnectHub, caplog: pytest.LogCaptureFixture
) -> None:
    hubs = hubs_here(send_buffer=64 * 1024)
    stalled, reading = connect_hub(hubs, "market"), connect_hub(hubs, "market")
    # Each answer is a whole order book, and the client reads none.
    with suppress(ConnectionClosed):
        while "does not read" not in caplog.text:
            stalled.say(*[{"type": 1, "target": "SubscribeContractMarketDepth", "arguments": [MNQ]}] * 20)

    assert "a client of /hubs/market does not read and is dropped" in caplog.text
    assert "error" not in reading.invoke("SubscribeContractQuotes", MNQ)


def test_a_token_is_not_logged_at_any_level(
    start_venue: StartVenue, connect_hub: ConnectHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TICKWORK_LOG_LEVEL", "DEBUG")
    venue = start_venue()
    token = venue.log_in()
    client = connect_hub(venue, token=token)
    client.socket.send("{" + RS)
    client.read_until_closed()
    with (
        pytest.raises(InvalidStatus),
        connect(f"{venue.url.replace('http', 'ws', 1)}/hubs/user?access_token=x.{token}", open_timeout=60),
    ):
        pass
    venue.close()
    log = (venue.state / "stderr").read_text()

    assert log
    assert [] == [part for part in token.split(".")[1:] if part in log]
