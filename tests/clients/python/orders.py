"""Every order type placed, modified and cancelled, a bracket, and the position and trades that it leaves."""

import asyncio

from connection import move_price, open_suite, report, until
from project_x_py import TradingSuite

BUY, SELL = 0, 1
FILLED, CANCELLED = 2, 3


async def main() -> dict:
    async with open_suite() as suite:
        events: dict[int, list[int]] = {}

        async def note_order(event: dict) -> None:
            order = event.get("data", event)
            events.setdefault(order["id"], []).append(order["status"])

        await suite.realtime.add_callback("order_update", note_order)
        found = {
            "resting": await change_resting_orders(suite),
            "market": await trade_at_market(suite),
            "bracket": await trade_a_bracket(suite),
        }
        await until(lambda: all(statuses[-1] in (FILLED, CANCELLED) for statuses in events.values()), "the last events")
        trades = await suite.client.search_trades(limit=100)
        found |= {
            "events": events,
            "open": len(await suite.orders.search_open_orders()),
            "positions": len(await suite.client.search_open_positions()),
            "trades": [{"price": trade.price, "size": trade.size, "side": trade.side, "pnl": trade.profitAndLoss,
                        "fees": trade.fees, "order": trade.orderId} for trade in trades],
            "history": [order.id for order in await suite.orders.search_orders()],
        }  # fmt: skip
        return found


async def change_resting_orders(suite: TradingSuite) -> dict:
    """Place one order of each type that rests, change its price and size, and cancel it."""
    orders, contract = suite.orders, suite.instrument.id
    best = await until(lambda: read_price(suite), "a price")
    places = {
        "limit": (orders.place_limit_order(contract, BUY, 1, best - 50), {"limit_price": best - 60, "size": 2}),
        "stop": (orders.place_stop_order(contract, SELL, 1, best - 50), {"stop_price": best - 60, "size": 2}),
        "trailing": (orders.place_trailing_stop_order(contract, SELL, 1, best - 50), {"trail_price": best - 60}),
        "join bid": (orders.place_join_bid_order(contract, 1), {"limit_price": best - 60}),
        "join ask": (orders.place_join_ask_order(contract, 1), {"limit_price": best + 60}),
    }
    found = {}
    for name, (place, change) in places.items():
        placed = await place
        order = await read_order(suite, placed.orderId)
        is_modified = await orders.modify_order(placed.orderId, **change)
        modified = await read_order(suite, placed.orderId)
        found[name] = {
            "id": placed.orderId,
            "placed": order,
            "is_modified": is_modified,
            "modified": modified,
            "is_cancelled": await orders.cancel_order(placed.orderId),
        }
    return found


async def trade_at_market(suite: TradingSuite) -> dict:
    """Buy three at the market, sell one, close the rest."""
    contract = suite.instrument.id
    placed = await suite.orders.place_market_order(contract, BUY, 3)
    position = await until(lambda: suite.positions.get_position(contract), "the position")
    part = await suite.positions.partially_close_position(contract, 1)
    await until(lambda: is_position(suite, 2), "the smaller position")
    rest = await suite.positions.close_position_direct(contract)
    await until(lambda: is_position(suite, 0), "the closed position")
    return {
        "id": placed.orderId,
        "size": position.size,
        "price": position.averagePrice,
        "part": part["success"],
        "rest": rest["success"],
    }


async def trade_a_bracket(suite: TradingSuite) -> dict:
    """Buy one with a stop and a target, and move the price through the target."""
    contract = suite.instrument.id
    price = await until(lambda: read_price(suite), "a price")
    bracket = await suite.orders.place_bracket_order(
        contract, BUY, 1, None, price - 20, price + 40, entry_type="market"
    )
    await until(lambda: is_position(suite, 1), "the position")
    working = await suite.orders.search_open_orders()
    move_price(price + 41)
    await until(lambda: is_position(suite, 0), "the target's fill")
    await until(lambda: has_no_orders(suite), "the end of the stop")
    return {
        "success": bracket.success,
        "working": sorted(order.type for order in working),
        "stop": (await suite.orders.get_order_by_id(bracket.stop_order_id)).status,
        "target": (await suite.orders.get_order_by_id(bracket.target_order_id)).status,
    }


async def read_price(suite: TradingSuite) -> float | None:
    bars = await suite.client.get_bars("MNQ", days=1, interval=1, unit=2)
    suite.client.clear_all_caches()
    return None if bars.is_empty() else bars["close"][-1]


async def read_order(suite: TradingSuite, order_id: int) -> dict:
    order = next(order for order in await suite.orders.search_open_orders() if order.id == order_id)
    return {name: getattr(order, name, None) for name in ("type", "side", "size", "limitPrice", "stopPrice", "status")}


async def is_position(suite: TradingSuite, size: int) -> bool:
    rows = await suite.client.search_open_positions()
    return sum(row.size for row in rows) == size


async def has_no_orders(suite: TradingSuite) -> bool:
    return not await suite.orders.search_open_orders()


report(asyncio.run(main()))
