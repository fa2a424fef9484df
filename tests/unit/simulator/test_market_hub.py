"""The work of the market hub in the event loop grows with its subscriptions, not with their square."""

import asyncio
import sys
from datetime import datetime
from types import FrameType
from typing import Any

import pytest
from starlette.websockets import WebSocket

from simulator.faults import Faults
from simulator.hubs import market, market_feed, topics
from simulator.hubs.connection import Connection, HubTiming
from simulator.hubs.market import MarketHub
from simulator.hubs.protocol import Invocation, SentMessageType
from tests.fixtures.venue_core import VenueCore

CLIENTS = 3


async def no_message(*_: Any) -> Any:
    raise AssertionError("the clients of this test have no socket")


def subscribed_hub(venue_core: VenueCore, count: int) -> MarketHub:
    """Return a hub whose clients have just subscribed to the quotes and books of `count` contracts."""
    hub = MarketHub(venue_core.venue, 240, Faults())
    socket = WebSocket({"type": "websocket", "path": "/hubs/market"}, no_message, no_message)
    ids = [contract.id for contract in venue_core.venue.market.contracts(venue_core.now())][:count]
    for _ in range(CLIENTS):
        connection = Connection(socket, "a-trader", HubTiming(send_buffer=2**30), lambda _: None)
        for id_ in ids:
            for method in ("Quotes", "MarketDepth"):
                call = Invocation(SentMessageType.INVOCATION, f"SubscribeContract{method}", [id_])
                hub.invoke(connection, call)
    return hub


def count_lines_of_publication(hub: MarketHub, now: datetime) -> int:
    """Publish, and return how many lines of the hub this thread has executed."""
    count, files = 0, {market.__file__, topics.__file__}

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace if frame.f_code.co_filename in files else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        asyncio.run(hub.publish(now))
    finally:
        sys.settrace(before)
    return count


def test_a_publication_to_four_times_the_subscriptions_takes_about_four_times_the_work(
    venue_core: VenueCore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(market_feed, "_LOADING_S", 600)
    hubs = subscribed_hub(venue_core, 8), subscribed_hub(venue_core, 32)
    for _ in ("with every snapshot", "without a change"):
        few, many = (count_lines_of_publication(hub, venue_core.now()) for hub in hubs)

        assert many < 5 * few
