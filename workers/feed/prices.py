"""What the market hub says of each contract, merged: whole quotes out of sparse ones, forming bars out of trades."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from shared.domain.market_data.bar import MINUTE
from shared.gateway.hubs.messages import QuoteChange, Trade
from shared.hot.forming_bars import FormingBar
from shared.hot.quotes import HotQuote

# In market time. A subscription is said to snapshot a little before its first trade comes; trades come a little late.
_SURELY_LISTENING_AFTER = timedelta(seconds=1)
_LATE_BY_AT_MOST = timedelta(seconds=2)


@dataclass(slots=True)
class News:
    """What has not been written yet, by contract: the newest of each, however many there were."""

    quotes: dict[str, HotQuote] = field(default_factory=dict)
    forming: dict[str, FormingBar] = field(default_factory=dict)
    ended: dict[str, FormingBar] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.quotes or self.forming or self.ended)


@dataclass(slots=True)
class Prices:
    """All contracts of one connection, and what of them is news."""

    _news: News = field(default_factory=News)
    _quotes: dict[str, HotQuote] = field(default_factory=dict)
    _forming: dict[str, FormingBar] = field(default_factory=dict)
    _ended: dict[str, FormingBar] = field(default_factory=dict)
    _complete_from: dict[str, datetime] = field(default_factory=dict)

    def taken(self) -> News:
        """Return what is news, which then is none any more."""
        news, self._news = self._news, News()
        return news

    def forget(self) -> None:
        """Begin anew after a loss: what was missed is not known, and a bar under way will lack it."""
        self._quotes.clear()
        self._complete_from.clear()
        for contract_id, bar in self._forming.items():
            self._forming[contract_id] = msgspec.structs.replace(bar, is_complete=False)

    def listen(self, contract_id: str, market_now: datetime) -> None:
        """Note that every trade of the contract is heard from now on."""
        self._complete_from[contract_id] = market_now + _SURELY_LISTENING_AFTER

    def take_quote(self, contract_id: str, change: QuoteChange, received_at: datetime) -> None:
        """Merge what has changed into the quote; what is missing has not changed."""
        before = self._quotes.get(contract_id) or HotQuote(received_at=received_at)
        merged = HotQuote(
            bid=_newer(change.best_bid, before.bid),
            ask=_newer(change.best_ask, before.ask),
            last=_newer(change.last_price, before.last),
            at=change.changed_market_at or before.at,
            received_at=received_at,
        )
        self._quotes[contract_id] = self._news.quotes[contract_id] = merged

    def take_trade(self, contract_id: str, trade: Trade) -> None:
        """Add a trade to the bar of its minute; the bar it came too late for is not complete."""
        start = trade.traded_market_at.replace(second=0, microsecond=0)
        before = self._forming.get(contract_id)
        if before is not None and start < before.start:
            self._note_missed(contract_id, start)
            return
        ended = self._ended.get(contract_id)
        if before is None and ended is not None and start <= ended.start:
            self._note_missed(contract_id, start)
            return
        if before is not None and start == before.start:
            bar = _with(before, trade)
        else:
            self._end(contract_id)
            complete_from = self._complete_from.get(contract_id)
            price, is_complete = trade.price, complete_from is not None and complete_from <= start
            bar = FormingBar(
                start=start, open=price, high=price, low=price, close=price, volume=trade.quantity,
                is_complete=is_complete,
            )  # fmt: skip
        self._forming[contract_id] = self._news.forming[contract_id] = bar

    def end_minutes(self, market_now: datetime) -> None:
        """End the bars whose minute is over, whether or not another trade has come since."""
        over = [name for name, bar in self._forming.items() if bar.start + MINUTE + _LATE_BY_AT_MOST <= market_now]
        for contract_id in over:
            self._end(contract_id)

    def _end(self, contract_id: str) -> None:
        bar = self._forming.pop(contract_id, None)
        self._news.forming.pop(contract_id, None)
        if bar is not None:
            self._ended[contract_id] = self._news.ended[contract_id] = bar

    def _note_missed(self, contract_id: str, start: datetime) -> None:
        ended = self._ended.get(contract_id)
        if ended is not None and ended.start == start and ended.is_complete:
            bar = msgspec.structs.replace(ended, is_complete=False)
            self._ended[contract_id] = self._news.ended[contract_id] = bar


def _with(bar: FormingBar, trade: Trade) -> FormingBar:
    return FormingBar(
        start=bar.start,
        open=bar.open,
        high=max(bar.high, trade.price),
        low=min(bar.low, trade.price),
        close=trade.price,
        volume=bar.volume + trade.quantity,
        is_complete=bar.is_complete,
    )


def _newer(changed: Decimal | None, before: Decimal | None) -> Decimal | None:
    return before if changed is None else changed
