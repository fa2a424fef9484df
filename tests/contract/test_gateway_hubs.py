"""Our hub client against hubs with the observed faults of the venue's, over real sockets."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from typing import Any

import pytest

from shared.errors import CredentialsRefusedError
from shared.gateway.hubs import hub
from shared.gateway.hubs.hub import HubError, Timeouts
from shared.gateway.hubs.session import HubSession
from tests.fixtures.scripted_hub import MINUTES, RS, Caller, Tokens, listening, scripted_hub, well_behaved

EVENT = {"type": 1, "target": "GatewayQuote", "arguments": ["CON", {"lastPrice": 1}]}
RECEIVED = ("GatewayQuote", ["CON", {"lastPrice": 1}])


def run_on_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), 100))

    return run


@pytest.fixture(autouse=True)
def _reconnect_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "_FIRST_PAUSE_S", 0.01)


@dataclass
class ManualClock:
    """The hub client's clock, which a test advances."""

    now: float = 0

    def __call__(self) -> float:
        return self.now


@run_on_loop
async def test_records_may_share_a_message_with_the_handshake_or_span_many() -> None:
    async def send_in_pieces(caller: Caller) -> None:
        await caller.hear()
        text = "{}" + RS + '{"type":1,"target":"A","arguments":[1]}' + RS + '{"type":1,"target":"B","argu'
        await caller.socket.send(text)
        await caller.socket.send('ments":["é')
        await caller.socket.send(('"]}' + RS + '{"type":99,"new":1}' + RS + '{"type":6}' + RS).encode())
        await caller.answer_all()

    async with scripted_hub(send_in_pieces) as venue, listening(venue.url) as client:
        await client.until(lambda: len(client.events) == 2)

    assert [("A", [1]), ("B", ["é"])] == client.events


@run_on_loop
async def test_a_record_of_more_than_a_mebibyte_is_read() -> None:
    async def send_long_record(caller: Caller) -> None:
        await caller.greet()
        await caller.say({"type": 1, "target": "GatewayDepth", "arguments": ["CON", ["x" * 3_000_000]]})
        await caller.answer_all()

    async with scripted_hub(send_long_record) as venue, listening(venue.url) as client:
        await client.until(lambda: bool(client.events))

    assert 3_000_000 == len(client.events[0][1][1][0])
    assert 1 == client.hub.connections


@run_on_loop
async def test_a_failed_call_raises_the_error_of_the_hub() -> None:
    async def refuse(caller: Caller) -> None:
        await caller.greet()
        call = await caller.hear()
        await caller.say({"type": 3, "invocationId": call["invocationId"], "error": "Method does not exist."})
        await caller.answer_all()

    async with scripted_hub(refuse) as venue, listening(venue.url) as client:
        await client.until(lambda: client.hub.is_ready)
        with pytest.raises(HubError, match="Method does not exist"):
            await client.hub.invoke("SubscribeContractDepth", "CON")
        await client.hub.invoke("SubscribeContractQuotes", "CON")


@run_on_loop
async def test_a_call_without_an_answer_times_out() -> None:
    async def never_answer(caller: Caller) -> None:
        await caller.greet()
        await caller.hear()
        await caller.socket.wait_closed()

    short_timeout = Timeouts(handshake=MINUTES, silence=MINUTES, answer=timedelta(seconds=0.1))
    async with scripted_hub(never_answer) as venue, listening(venue.url, timeouts=short_timeout) as client:
        await client.until(lambda: client.hub.is_ready)
        with pytest.raises(TimeoutError):
            await client.hub.invoke("SubscribeContractQuotes", "CON")


@run_on_loop
async def test_a_call_fails_when_its_connection_is_lost() -> None:
    async def cut(caller: Caller) -> None:
        await caller.greet()
        await caller.hear()
        caller.socket.transport.abort()

    async with scripted_hub(cut, well_behaved) as venue, listening(venue.url) as client:
        await client.until(lambda: client.hub.is_ready)
        with pytest.raises(HubError, match="lost"):
            await client.hub.invoke("SubscribeContractQuotes", "CON")


@run_on_loop
async def test_concurrent_calls_arrive_as_whole_records() -> None:
    async with scripted_hub() as venue, listening(venue.url) as client:
        await client.until(lambda: client.hub.is_ready)
        await asyncio.gather(*(client.hub.invoke("Subscribe", "x" * 10_000, number) for number in range(50)))


@run_on_loop
async def test_trap_10_everything_is_subscribed_again_after_each_loss() -> None:
    targets: list[str] = []

    async def cut(caller: Caller) -> None:
        await caller.greet()
        for _ in range(2):
            call = await caller.hear()
            targets.append(call["target"])
            await caller.say({"type": 3, "invocationId": call["invocationId"]})
        if len(targets) < 6:
            caller.socket.transport.abort()
        await caller.say(EVENT)
        await caller.answer_all()

    async with scripted_hub(cut) as venue, listening(venue.url, "SubscribeQuotes", "SubscribeTrades") as client:
        await client.until(lambda: bool(client.events))

    assert ["SubscribeQuotes", "SubscribeTrades"] * 3 == targets
    assert 3 == client.hub.connections
    assert client.hub.last_gap_s is not None


@run_on_loop
async def test_a_failed_subscription_ends_the_connection() -> None:
    async def refuse(caller: Caller) -> None:
        await caller.greet()
        call = await caller.hear()
        await caller.say({"type": 3, "invocationId": call["invocationId"], "error": "not now"})
        await caller.answer_all()

    async with scripted_hub(refuse, well_behaved) as venue, listening(venue.url, "SubscribeQuotes") as client:
        await client.until(lambda: client.hub.is_ready)

    assert 2 == client.hub.connections


@run_on_loop
async def test_a_peer_without_pings_is_dropped_and_one_with_pings_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, callers = ManualClock(), list[Caller]()
    monkeypatch.setattr(hub, "monotonic", clock)

    async def fall_silent(caller: Caller) -> None:
        callers.append(caller)
        await caller.greet()
        await caller.socket.wait_closed()

    # The client checks the clock every hundredth of a second.
    timeouts = Timeouts(ping_every=timedelta(seconds=0.05), silence=timedelta(seconds=30), handshake=MINUTES)
    async with scripted_hub(fall_silent) as venue, listening(venue.url, timeouts=timeouts) as client:
        await client.until(lambda: client.hub.is_ready)
        clock.now = 31
        await client.until(lambda: client.hub.connections == 2 and client.hub.is_ready)
        for _ in range(4):
            clock.now += 20
            await callers[1].say({"type": 6})
            await client.until(lambda: client.hub.silent_s == 0)
            ping = await callers[1].socket.recv()  # the client checked the clock, and sent a ping
            assert str(ping).endswith('{"type":6}' + RS)

        assert 2 == client.hub.connections
        assert client.hub.is_connected


@run_on_loop
async def test_an_idle_client_pings() -> None:
    pings = 0

    async def count_pings(caller: Caller) -> None:
        nonlocal pings
        await caller.greet()
        while True:
            pings += str(await caller.socket.recv()).count('{"type":6}')
            await caller.say({"type": 6})

    frequent_pings = Timeouts(ping_every=timedelta(seconds=0.1), silence=MINUTES, handshake=MINUTES)
    async with scripted_hub(count_pings) as venue, listening(venue.url, timeouts=frequent_pings) as client:
        await client.until(lambda: pings >= 3)

        assert 1 == client.hub.connections


@run_on_loop
async def test_a_refused_token_is_replaced_once() -> None:
    access = Tokens()
    async with scripted_hub(refusals=[401, 401, 503]) as venue, listening(venue.url, access=access) as client:
        await client.until(lambda: client.hub.is_ready)

    assert ["token-1", "token-2", "token-2", "token-2"] == venue.tokens
    assert 2 == access.number


@run_on_loop
async def test_a_logout_renews_the_token_once_and_rebuilds_both_hubs() -> None:
    async def log_out(caller: Caller) -> None:
        await caller.greet()
        await both_connected.wait()
        await caller.say({"type": 1, "target": "GatewayLogout", "arguments": []}, {"type": 7})

    access, both_connected = Tokens(), asyncio.Event()
    session = HubSession(access)
    async with (
        scripted_hub(log_out, well_behaved) as first,
        scripted_hub() as second,
        listening(first.url, session=session) as user,
        listening(second.url, session=session) as market,
    ):
        await user.until(lambda: user.hub.is_ready and market.hub.is_ready)
        both_connected.set()
        await user.until(lambda: user.hub.connections == 2 and market.hub.connections == 2)

    assert ["token-1", "token-2"] == first.tokens == second.tokens
    assert 2 == access.number


@run_on_loop
async def test_repeated_logouts_raise_an_error_and_stop_the_client() -> None:
    async def log_out(caller: Caller) -> None:
        await caller.greet()
        await caller.say({"type": 1, "target": "GatewayLogout", "arguments": []})
        await caller.answer_all()

    session = HubSession(Tokens(), max_logouts=2)
    async with scripted_hub(log_out) as venue, listening(venue.url, session=session) as client:
        with pytest.raises(CredentialsRefusedError, match="3 times"):
            await client.task

    assert ["token-1", "token-2", "token-3"] == venue.tokens


@run_on_loop
async def test_a_connection_is_rebuilt_with_a_fresh_token_before_its_own_ends() -> None:
    access = Tokens()
    timeouts = Timeouts(token_share=0.2 / 86_400, handshake=MINUTES)  # a fifth of a second of a day
    async with scripted_hub() as venue, listening(venue.url, access=access, timeouts=timeouts) as client:
        await client.until(lambda: client.hub.connections >= 2)

    assert ["token-1", "token-2"] == venue.tokens[:2]


@run_on_loop
async def test_a_redirect_is_not_followed() -> None:
    async with scripted_hub(refusals=[302, 307]) as venue, listening(venue.url) as client:
        await client.until(lambda: client.hub.is_ready)

    assert 3 == len(venue.tokens)


@run_on_loop
async def test_a_malformed_record_ends_the_connection_and_not_the_client() -> None:
    async def send_malformed_record(caller: Caller) -> None:
        await caller.greet()
        await caller.socket.send('{"type":' + RS)
        await caller.answer_all()

    async with scripted_hub(send_malformed_record, well_behaved) as venue, listening(venue.url) as client:
        await client.until(lambda: client.hub.connections == 2)


@run_on_loop
async def test_the_token_is_in_no_log_no_error_and_no_task(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def cut(caller: Caller) -> None:
        await caller.greet()
        caller.socket.transport.abort()

    secret = "token-1"
    async with scripted_hub(cut, well_behaved, refusals=[500, 503]) as venue, listening(venue.url) as client:
        await client.until(lambda: client.hub.connections == 2)
        tasks = [repr(task) for task in asyncio.all_tasks()]
        names = [task.get_name() for task in asyncio.all_tasks()]
    messages = [record.getMessage() for record in caplog.records if not record.name.startswith("websockets.server")]

    assert any("lost" in message for message in messages)
    assert not [text for text in (*messages, *names, *tasks) if secret in text]
