"""A market hub with an open socket that sends no data of a contract."""

import asyncio
from collections.abc import Mapping
from datetime import datetime

import pytest

from shared.clock import live_clock
from shared.gateway.hubs.session import HubSession
from shared.hot.feed_writer import FeedWriter
from tests.fixtures.scripted_hub import Caller, Tokens, scripted_hub
from workers.feed.market_side import MarketSide
from workers.feed.silence import Silence

SUBSCRIBED = ["SubscribeContractQuotes", "SubscribeContractTrades"]


async def list_contracts() -> Mapping[str, bool]:
    return {"CON": True}


@pytest.mark.parametrize(("trades", "connection_count"), [(True, 2), (False, 1)])
def test_a_silent_contract_is_subscribed_again_and_the_connection_dropped_only_if_it_trades(
    redis_url: str, *, trades: bool, connection_count: int
) -> None:
    calls: list[list[str]] = []

    async def send_no_data(caller: Caller) -> None:
        await caller.greet()
        calls.append([])
        while True:
            call = await caller.hear()
            calls[-1].append(call["target"])
            await caller.say({"type": 3, "invocationId": call["invocationId"]})

    async def has_traded(_: str, __: datetime) -> bool:
        return trades

    async def test() -> None:
        writer = FeedWriter(redis_url)
        async with scripted_hub(send_no_data) as venue:
            side = MarketSide(
                (venue.url.removesuffix("/hubs/market"), HubSession(Tokens())), writer, live_clock(),
                contracts=list_contracts, has_traded=has_traded, silence=Silence(after_s=0.3), check_every_s=0.05,
            )  # fmt: skip
            running = asyncio.create_task(side.run())
            async with asyncio.timeout(30):
                while sum(map(len, calls)) < 6:  # noqa: ASYNC110  # it is a list
                    await asyncio.sleep(0.02)
            assert side.health()["CON"].silent_s is None
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        await writer.close()

    asyncio.run(test())
    assert connection_count == len(calls)
    assert SUBSCRIBED * 2 == calls[0][:4]
