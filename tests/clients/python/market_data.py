"""Login, accounts, contracts and bars, and the quotes, depth and trade tape of the market hub."""

import asyncio
import logging
from datetime import UTC, datetime

from connection import open_suite, report, until
from project_x_py.trading_suite import Features

DAYS = 5


class Warnings(logging.Handler):
    """Keeps what the client warns of, such as a message that it does not understand."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


WARNINGS = Warnings()
logging.getLogger("project_x_py").addHandler(WARNINGS)


async def main() -> dict:
    async with open_suite(Features.ORDERBOOK) as suite:
        client, book = suite.client, suite.orderbook
        quotes: list[dict] = []
        tape: list[dict] = []

        async def note_quote(event: dict) -> None:
            quotes.append(event)

        async def note_trade(event: dict) -> None:
            tape.append(event)

        await suite.realtime.add_callback("quote_update", note_quote)
        await suite.realtime.add_callback("market_trade", note_trade)
        found = {
            "account": client.account_info.name,
            "accounts": len(await client.list_accounts()),
            "contract": (await client.get_instrument("MNQ")).id,
            "found": [contract.id for contract in await client.search_instruments("MNQ")],
            "bars": {},
        }
        for name, unit, interval in (("1 min", 2, 1), ("1 h", 3, 1), ("1 day", 4, 1)):
            bars = await client.get_bars("MNQ", days=DAYS, interval=interval, unit=unit)
            times = bars["timestamp"].to_list()
            found["bars"][name] = {
                "rows": bars.height,
                "sorted": times == sorted(set(times)),
                "valid": bars.filter((bars["high"] < bars["low"]) | (bars["volume"] <= 0)).is_empty(),
                "age_s": (datetime.now(UTC) - times[-1].astimezone(UTC)).total_seconds(),
            }
        await until(lambda: len(quotes) >= 20, "20 quotes")
        await until(lambda: len(tape) >= 5, "5 trades")
        await until(lambda: is_deep(book), "a book of five levels a side")

        async def has_sided_trade() -> bool:
            return any(trade["side"] != "unknown" for trade in await book.get_recent_trades())

        await until(has_sided_trade, "a trade in the order book, with both sides known")
        best = await book.get_best_bid_ask()
        price = await until(suite.data.get_current_price, "a price in the data manager")
        statistics = await suite.data.get_memory_stats()
        items = [event["data"] if isinstance(event["data"], list) else [event["data"]] for event in tape]
        found |= {
            "quotes": [quote["data"] for quote in quotes],
            "trades": [item for some in items for item in some if item],
            "bid": best["bid"],
            "ask": best["ask"],
            "bids": (await book.get_orderbook_bids(10)).height,
            "asks": (await book.get_orderbook_asks(10)).height,
            "tape": await book.get_recent_trades(),
            "depth_types": {name: count for name, count in (await book.get_order_type_statistics()).items() if count},
            "price": price,
            "quotes_accepted": statistics["quotes_processed"],
            "trades_accepted": statistics["trades_processed"],
            "warnings": WARNINGS.messages,
        }
        return found


async def is_deep(book: object) -> bool:
    """Whether each side has five levels: the snapshot has sixty, and without it a level comes with each change.

    The client may miss the snapshot: it subscribes before its book listens, and of the depth messages that wait
    together it keeps the last.
    """
    return min((await book.get_orderbook_bids(10)).height, (await book.get_orderbook_asks(10)).height) >= 5


report(asyncio.run(main()))
