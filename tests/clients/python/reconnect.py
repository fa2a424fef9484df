"""Both hubs before and after a fault: whether the client comes back by itself and receives events again.

Arguments: the fault, after how many seconds of silence the client's watchdog connects anew, and `forced` if the program
has to tell the client to connect.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable

from connection import ARGUMENTS, control, open_suite, report, until
from project_x_py import TradingSuite

BUY = 0


async def main(fault: dict, watchdog_s: float, *, is_forced: bool) -> dict:
    async with open_suite() as suite:
        suite.realtime.stale_feed_seconds = watchdog_s
        suite.realtime.stale_feed_check_interval = 0.5
        seen = {"quote_update": 0, "order_update": 0}
        for name in seen:
            await suite.realtime.add_callback(name, make_counter(seen, name))
        await wait_for_events(suite, seen)
        before = dict(seen)
        control("POST", "faults", fault)
        await until(lambda: all(armed["left"] == 0 for armed in control("GET", "faults")), "the fault")
        await until(
            suite.realtime.force_health_reconnect if is_forced else suite.realtime.is_connected, "the connection"
        )
        after = dict(seen)
        await wait_for_events(suite, seen)
        return {"before": before, "during": after, "after": seen}


def make_counter(seen: dict[str, int], name: str) -> Callable[[object], Awaitable[None]]:
    async def count(_: object) -> None:
        seen[name] += 1

    return count


async def wait_for_events(suite: TradingSuite, seen: dict[str, int]) -> None:
    """Wait for ten quotes, and place orders until one is reported: the client does not say when it has subscribed."""
    before = dict(seen)

    async def is_reported() -> bool:
        placed = await suite.orders.place_limit_order(suite.instrument.id, BUY, 1, 15000.0)
        await suite.orders.cancel_order(placed.orderId)
        await asyncio.sleep(0.2)
        return seen["order_update"] > before["order_update"] and seen["quote_update"] > before["quote_update"] + 10

    await until(is_reported, "events of both hubs")


report(asyncio.run(main(json.loads(ARGUMENTS[0]), float(ARGUMENTS[1]), is_forced=ARGUMENTS[2:] == ["forced"])))
