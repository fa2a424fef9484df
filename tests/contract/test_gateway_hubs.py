"""Our hub client towards hubs that misbehave as the venue's has been seen to, over real sockets."""

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
HEARD = ("GatewayQuote", ["CON", {"lastPrice": 1}])


def on_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), 100))

    return run


@pytest.fixture(autouse=True)
def _come_back_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "_FIRST_PAUSE_S", 0.01)


@dataclass
class StandingClock:
    """The hub client's clock, which a test moves on."""

    now: float = 0

    def __call__(self) -> float:
        return self.now


@on_a_loop
async def test_records_may_share_a_message_with_the_handshake_or_be_spread_over_many() -> None:
    async def chop(caller: Caller) -> None:
        await caller.hear()
        text = "{}" + RS + '{"type":1,"target":"A","arguments":[1]}' + RS + '{"type":1,"target":"B","argu'
        await caller.socket.send(text)
        await caller.socket.send('ments":["é')
        await caller.socket.send(('"]}' + RS + '{"type":99,"new":1}' + RS + '{"type":6}' + RS).encode())
        await caller.answer_all()

    async with scripted_hub(chop) as venue, listening(venue.url) as client:
        await client.until(lambda: len(client.events) == 2)

    assert [("A", [1]), ("B", ["é"])] == client.events


@on_a_loop
async def test_a_record_of_more_than_a_mebibyte_is_read() -> None:
    async def say_much(caller: Caller) -> None:
        await caller.greet()
        await caller.say({"type": 1, "target": "GatewayDepth", "arguments": ["CON", ["x" * 3_000_000]]})
        await caller.answer_all()

    async with scripted_hub(say_much) as venue, listening(venue.url) as client:
        await client.until(lambda: bool(client.events))

    assert 3_000_000 == len(client.events[0][1][1][0])
    assert 1 == client.hub.connections


@on_a_loop
async def test_a_call_that_the_hub_cannot_do_raises_what_it_said() -> None:
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


@on_a_loop
async def test_a_call_does_not_wait_for_ever() -> None:
    async def say_nothing(caller: Caller) -> None:
        await caller.greet()
        await caller.hear()
        await caller.socket.wait_closed()

    hasty = Timeouts(handshake=MINUTES, silence=MINUTES, answer=timedelta(seconds=0.1))
    async with scripted_hub(say_nothing) as venue, listening(venue.url, timeouts=hasty) as client:
        await client.until(lambda: client.hub.is_ready)
        with pytest.raises(TimeoutError):
            await client.hub.invoke("SubscribeContractQuotes", "CON")


@on_a_loop
async def test_a_call_does_not_wait_for_a_connection_that_was_lost() -> None:
    async def cut(caller: Caller) -> None:
        await caller.greet()
        await caller.hear()
        caller.socket.transport.abort()

    async with scripted_hub(cut, well_behaved) as venue, listening(venue.url) as client:
        await client.until(lambda: client.hub.is_ready)
        with pytest.raises(HubError, match="lost"):
            await client.hub.invoke("SubscribeContractQuotes", "CON")


@on_a_loop
async def test_calls_at_once_arrive_as_whole_records() -> None:
    async with scripted_hub() as venue, listening(venue.url) as client:
        await client.until(lambda: client.hub.is_ready)
        await asyncio.gather(*(client.hub.invoke("Subscribe", "x" * 10_000, number) for number in range(50)))


@on_a_loop
async def test_trap_10_everything_is_subscribed_again_after_each_loss() -> None:
    asked: list[str] = []

    async def cut(caller: Caller) -> None:
        await caller.greet()
        for _ in range(2):
            call = await caller.hear()
            asked.append(call["target"])
            await caller.say({"type": 3, "invocationId": call["invocationId"]})
        if len(asked) < 6:
            caller.socket.transport.abort()
        await caller.say(EVENT)
        await caller.answer_all()

    async with scripted_hub(cut) as venue, listening(venue.url, "SubscribeQuotes", "SubscribeTrades") as client:
        await client.until(lambda: bool(client.events))

    assert ["SubscribeQuotes", "SubscribeTrades"] * 3 == asked
    assert 3 == client.hub.connections
    assert client.hub.last_gap_s is not None


@on_a_loop
async def test_a_subscription_that_fails_is_a_loss() -> None:
    async def refuse(caller: Caller) -> None:
        await caller.greet()
        call = await caller.hear()
        await caller.say({"type": 3, "invocationId": call["invocationId"], "error": "not now"})
        await caller.answer_all()

    async with scripted_hub(refuse, well_behaved) as venue, listening(venue.url, "SubscribeQuotes") as client:
        await client.until(lambda: client.hub.is_ready)

    assert 2 == client.hub.connections


@on_a_loop
async def test_silence_of_pings_too_is_a_dead_peer_and_pings_keep_a_quiet_one(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, callers = StandingClock(), list[Caller]()
    monkeypatch.setattr(hub, "monotonic", clock)

    async def fall_silent(caller: Caller) -> None:
        callers.append(caller)
        await caller.greet()
        await caller.socket.wait_closed()

    # It looks at the clock every hundredth of a second.
    timeouts = Timeouts(ping_every=timedelta(seconds=0.05), silence=timedelta(seconds=30), handshake=MINUTES)
    async with scripted_hub(fall_silent) as venue, listening(venue.url, timeouts=timeouts) as client:
        await client.until(lambda: client.hub.is_ready)
        clock.now = 31
        await client.until(lambda: client.hub.connections == 2 and client.hub.is_ready)
        for _ in range(4):
            clock.now += 20
            await callers[1].say({"type": 6})
            await client.until(lambda: client.hub.silent_s == 0)
            heard = await callers[1].socket.recv()  # it looks at the clock, and has pinged
            assert str(heard).endswith('{"type":6}' + RS)

        assert 2 == client.hub.connections
        assert client.hub.is_connected


@on_a_loop
async def test_an_idle_client_pings() -> None:
    pings = 0

    async def count_pings(caller: Caller) -> None:
        nonlocal pings
        await caller.greet()
        while True:
            pings += str(await caller.socket.recv()).count('{"type":6}')
            await caller.say({"type": 6})

    often = Timeouts(ping_every=timedelta(seconds=0.1), silence=MINUTES, handshake=MINUTES)
    async with scripted_hub(count_pings) as venue, listening(venue.url, timeouts=often) as client:
        await client.until(lambda: pings >= 3)

        assert 1 == client.hub.connections


@on_a_loop
async def test_a_token_that_is_refused_is_renewed_once() -> None:
    access = Tokens()
    async with scripted_hub(refusals=[401, 401, 503]) as venue, listening(venue.url, access=access) as client:
        await client.until(lambda: client.hub.is_ready)

    assert ["token-1", "token-2", "token-2", "token-2"] == venue.tokens
    assert 2 == access.number


@on_a_loop
async def test_a_logout_renews_the_token_once_and_rebuilds_both_hubs() -> None:
    async def log_out(caller: Caller) -> None:
        await caller.greet()
        await both_are_there.wait()
        await caller.say({"type": 1, "target": "GatewayLogout", "arguments": []}, {"type": 7})

    access, both_are_there = Tokens(), asyncio.Event()
    session = HubSession(access)
    async with (
        scripted_hub(log_out, well_behaved) as first,
        scripted_hub() as second,
        listening(first.url, session=session) as user,
        listening(second.url, session=session) as market,
    ):
        await user.until(lambda: user.hub.is_ready and market.hub.is_ready)
        both_are_there.set()
        await user.until(lambda: user.hub.connections == 2 and market.hub.connections == 2)

    assert ["token-1", "token-2"] == first.tokens == second.tokens
    assert 2 == access.number


@on_a_loop
async def test_a_venue_that_logs_us_out_again_and_again_is_left_alone() -> None:
    async def log_out(caller: Caller) -> None:
        await caller.greet()
        await caller.say({"type": 1, "target": "GatewayLogout", "arguments": []})
        await caller.answer_all()

    session = HubSession(Tokens(), most_logouts=2)
    async with scripted_hub(log_out) as venue, listening(venue.url, session=session) as client:
        with pytest.raises(CredentialsRefusedError, match="3 times"):
            await client.task

    assert ["token-1", "token-2", "token-3"] == venue.tokens


@on_a_loop
async def test_a_connection_is_rebuilt_with_a_fresh_token_before_its_own_ends() -> None:
    access = Tokens()
    timeouts = Timeouts(token_share=0.2 / 86_400, handshake=MINUTES)  # a fifth of a second of a day
    async with scripted_hub() as venue, listening(venue.url, access=access, timeouts=timeouts) as client:
        await client.until(lambda: client.hub.connections >= 2)

    assert ["token-1", "token-2"] == venue.tokens[:2]


@on_a_loop
async def test_a_redirect_is_not_followed() -> None:
    async with scripted_hub(refusals=[302, 307]) as venue, listening(venue.url) as client:
        await client.until(lambda: client.hub.is_ready)

    assert 3 == len(venue.tokens)


@on_a_loop
async def test_what_is_not_of_the_protocol_ends_the_connection_and_not_the_client() -> None:
    async def babble(caller: Caller) -> None:
        await caller.greet()
        await caller.socket.send('{"type":' + RS)
        await caller.answer_all()

    async with scripted_hub(babble, well_behaved) as venue, listening(venue.url) as client:
        await client.until(lambda: client.hub.connections == 2)


@on_a_loop
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
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("websockets.server")]

    assert any("lost" in message for message in ours)
    assert not [text for text in (*ours, *names, *tasks) if secret in text]
