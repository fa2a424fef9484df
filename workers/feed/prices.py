"""The prices of one market hub connection: complete quotes merged from sparse ones, forming bars built from trades."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from shared.domain.market_data.bar import MINUTE
from shared.gateway.hubs.messages import QuoteChange, Trade
from shared.hot.forming_bars import FormingBar
from shared.hot.quotes import HotQuote

# In market time. The hub confirms a subscription a little before it sends trades, and trades arrive a little late.
_SUBSCRIPTION_DELAY = timedelta(seconds=1)
_LONGEST_TRADE_DELAY = timedelta(seconds=2)


@dataclass(slots=True)
class PriceUpdates:
    """The newest unwritten quote and bar of each contract, and the contracts whose last bar has ended."""

    quotes: dict[str, HotQuote] = field(default_factory=dict)
    forming: dict[str, FormingBar] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.quotes or self.forming or self.ended)


@dataclass(slots=True)
class Prices:
    """Quotes and bars of all contracts of one connection, and which of them are not written yet."""

    _updates: PriceUpdates = field(default_factory=PriceUpdates)
    _quotes: dict[str, HotQuote] = field(default_factory=dict)
    _forming: dict[str, FormingBar] = field(default_factory=dict)
    _ended: dict[str, datetime] = field(default_factory=dict)  # the start of the newest bar that has
    _traded: dict[str, tuple[Decimal, datetime]] = field(default_factory=dict)  # also before a reconnect
    _complete_from: dict[str, datetime] = field(default_factory=dict)

    @property
    def is_forming(self) -> bool:
        """Whether the minute of a bar is not over."""
        return bool(self._forming)

    def take_updates(self) -> PriceUpdates:
        """Return the unwritten updates, and forget them."""
        updates, self._updates = self._updates, PriceUpdates()
        return updates

    def reset(self) -> None:
        """Start again after a lost connection: drop the quotes, and mark the forming bars as incomplete."""
        self._quotes.clear()
        self._complete_from.clear()
        for contract_id, bar in self._forming.items():
            self._forming[contract_id] = msgspec.structs.replace(bar, is_complete=False)

    def mark_subscribed(self, contract_id: str, market_now: datetime) -> None:
        """Record that all trades of the contract arrive from now on."""
        self._complete_from[contract_id] = market_now + _SUBSCRIPTION_DELAY

    def take_quote(self, contract_id: str, change: QuoteChange, received_at: datetime) -> None:
        """Merge the changed fields into the contract's quote; a missing field is unchanged."""
        before = self._quotes.get(contract_id) or HotQuote(received_at=received_at)
        merged = HotQuote(
            bid=_merge_price(change.best_bid, before.bid),
            ask=_merge_price(change.best_ask, before.ask),
            last=_merge_price(change.last_price, before.last),
            at=change.changed_market_at or before.at,
            received_at=received_at,
        )
        if contract_id in self._traded:
            price, at = self._traded[contract_id]
            merged = msgspec.structs.replace(merged, traded=price, trade_received_at=at)
        self._quotes[contract_id] = self._updates.quotes[contract_id] = merged

    def take_trade(self, contract_id: str, trade: Trade, received_at: datetime) -> None:
        """Add a trade to the quote and the bar of its minute; the bar ignores one that comes after it has ended."""
        self._traded[contract_id] = (trade.price, received_at)
        quote = self._quotes.get(contract_id)
        if quote is not None:
            quote = msgspec.structs.replace(quote, traded=trade.price, trade_received_at=received_at)
            self._quotes[contract_id] = self._updates.quotes[contract_id] = quote
        start = trade.traded_market_at.replace(second=0, microsecond=0)
        before = self._forming.get(contract_id)
        ended = self._ended.get(contract_id)
        if (before is not None and start < before.start) or (ended is not None and start <= ended):
            return
        if before is not None and start == before.start:
            bar = _add_trade(before, trade)
        else:
            self._end_bar(contract_id)
            complete_from = self._complete_from.get(contract_id)
            price, is_complete = trade.price, complete_from is not None and complete_from <= start
            bar = FormingBar(
                start=start, open=price, high=price, low=price, close=price, volume=trade.quantity,
                is_complete=is_complete,
            )  # fmt: skip
        self._forming[contract_id] = self._updates.forming[contract_id] = bar

    def end_minutes(self, market_now: datetime) -> None:
        """End the bars whose minute is over, with or without a newer trade."""
        over = [name for name, bar in self._forming.items() if bar.start + MINUTE + _LONGEST_TRADE_DELAY <= market_now]
        for contract_id in over:
            self._end_bar(contract_id)

    def _end_bar(self, contract_id: str) -> None:
        bar = self._forming.pop(contract_id, None)
        self._updates.forming.pop(contract_id, None)
        if bar is not None:
            self._ended[contract_id] = bar.start
            self._updates.ended.add(contract_id)


def _add_trade(bar: FormingBar, trade: Trade) -> FormingBar:
    return FormingBar(
        start=bar.start,
        open=bar.open,
        high=max(bar.high, trade.price),
        low=min(bar.low, trade.price),
        close=trade.price,
        volume=bar.volume + trade.quantity,
        is_complete=bar.is_complete,
    )


def _merge_price(changed: Decimal | None, before: Decimal | None) -> Decimal | None:
    return before if changed is None else changed
