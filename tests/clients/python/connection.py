"""The common parts of the programs here: project-x-py pointed at the simulator, the control port, a wait for a fact."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
from project_x_py import ProjectX, ProjectXRealtimeClient, TradingSuite
from project_x_py.models import ProjectXConfig
from project_x_py.trading_suite import Features, TradingSuiteConfig

WHERE: dict[str, str] = json.loads(sys.argv[1])
ARGUMENTS = sys.argv[2:]
URL = WHERE["url"]
CONFIG = ProjectXConfig(
    api_url=f"{URL}/api",
    user_hub_url=f"{URL}/hubs/user",
    market_hub_url=f"{URL}/hubs/market",
    requests_per_minute=6000,  # the client's own limit; the simulator here has none
)
GIVE_UP_S = 60


@asynccontextmanager
async def open_suite(*features: Features) -> AsyncIterator[TradingSuite]:
    """Connect the whole client: `TradingSuite.create` takes no URL, its constructor takes a client that has them."""
    async with ProjectX(username=WHERE["user"], api_key=WHERE["key"], config=CONFIG) as client:
        await client.authenticate()
        realtime = ProjectXRealtimeClient(client.session_token, str(client.account_info.id), config=CONFIG)
        suite = TradingSuite(client, realtime, TradingSuiteConfig("MNQ", ["1min"], list(features), initial_days=1))
        realtime.event_bus = suite.events
        await suite.connect()
        try:
            yield suite
        finally:
            await suite.disconnect()


def control(method: str, path: str, body: object = None) -> Any:
    """Call the simulator's control port, and return the JSON of its answer."""
    return httpx.request(method, f"{WHERE['control']}/{path}", json=body, timeout=60).raise_for_status().json()


def move_price(price: float) -> None:
    """Move the price of MNQ straight to another one; return once it is there."""
    steps = [{"price": str(price), "seconds": 0.05}]
    control("PUT", "market", {"contract": "MNQ", "steps": steps, "wait": True})


async def until(is_met: Callable[[], Any], what: str) -> Any:
    """Wait until the result of `is_met`, which may be awaitable, is true, and return it."""
    end = time.monotonic() + GIVE_UP_S
    while True:
        result = is_met()
        if asyncio.iscoroutine(result):
            result = await result
        if result:
            return result
        if time.monotonic() > end:
            sys.exit(f"timed out waiting for {what}")
        await asyncio.sleep(0.05)


def report(found: dict[str, Any]) -> None:
    """Print what the test checks: the last line of the output."""
    print(json.dumps(found, default=str))
