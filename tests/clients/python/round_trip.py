"""A long position closed after the price has moved by so many points: what the risk manager makes of it."""

import asyncio

from connection import ARGUMENTS, move_price, open_suite, report, until
from project_x_py import TradingSuite
from project_x_py.trading_suite import Features

BUY, SELL = 0, 1
START = 25000


async def main(points: int) -> dict:
    async with open_suite(Features.RISK_MANAGER) as suite:
        contract = suite.instrument.id
        events: list[dict] = []

        async def note_position(event: dict) -> None:
            events.append(event.get("data", event))

        await suite.realtime.add_callback("position_update", note_position)
        await suite.orders.place_market_order(contract, BUY, 1)
        await until(lambda: events, "the position")
        await until(lambda: suite.positions.get_position(contract), "the tracked position")
        move_price(START + points)
        await suite.orders.place_market_order(contract, SELL, 1)
        await until(lambda: events[-1]["size"] == 0, "the closing event")
        trades = await suite.client.search_trades()
        probe = await suite.orders.place_limit_order(contract, BUY, 1, START - 500)
        order = (await until(suite.orders.search_open_orders, "an order"))[0]
        answer = await until(lambda: validate(suite, order), "the recorded trade")
        await suite.orders.cancel_order(probe.orderId)
        return {
            "pnl": sum(trade.profitAndLoss or 0 for trade in trades),
            "daily_loss": answer["daily_loss"],
            "daily_trades": answer["daily_trades"],
            "is_valid": answer["is_valid"],
            "reasons": answer["reasons"],
            "realized": suite.positions.stats["realized_pnl"],
            "closing": events[-1],
        }


async def validate(suite: TradingSuite, order: object) -> dict | None:
    """Return what the risk manager says of an order, once it has counted the round trip."""
    answer = await suite.risk_manager.validate_trade(order)
    return answer if answer["daily_trades"] else None


report(asyncio.run(main(int(ARGUMENTS[0]))))
