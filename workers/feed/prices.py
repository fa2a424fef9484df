"""What the market hub says of each contract, merged: whole quotes out of sparse ones, forming bars out of trades."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from shared.domain.bar import MINUTE
from shared.gateway.hub_events import QuoteChange, Trade
from shared.hot.forming_bars import FormingBar
from shared.hot.quotes import Quote


@dataclass(slots=True)
class News:
    """What has not been written yet, by contract."""

    quotes: dict[str, Quote] = field(default_factory=dict)
    forming: dict[str, FormingBar] = field(default_factory=dict)
    ended: dict[str, FormingBar] = field(default_factory=dict)


@dataclass(slots=True)
class Prices:
    """All contracts of one connection, and what of them is news."""

    news: News = field(default_factory=News)
    _quotes: dict[str, Quote] = field(default_factory=dict)
    _bars: dict[str, FormingBar] = field(default_factory=dict)
    _listens_since: dict[str, datetime] = field(default_factory=dict)

    def taken(self) -> News:
        """Return what is news, which then is none any more."""
        news, self.news = self.news, News()
        return news

    def forget(self) -> None:
        """Begin anew after a loss: what was missed is not known, and a bar that has begun is not complete."""
        self._quotes.clear()
        self._listens_since.clear()
        self._bars = {name: _part(bar) for name, bar in self._bars.items()}

    def listen(self, contract_id: str, market_now: datetime) -> None:
        """Note from when on every trade of the contract is heard."""
        self._listens_since[contract_id] = market_now

    def take_quote(self, contract_id: str, change: QuoteChange, received_at: datetime) -> None:
        """Merge what has changed into the quote."""
        before = self._quotes.get(contract_id) or Quote(received_at=received_at)
        merged = Quote(
            bid=_newer(change.best_bid, before.bid),
            ask=_newer(change.best_ask, before.ask),
            last=_newer(change.last_price, before.last),
            changed_market_at=change.changed_market_at or before.changed_market_at,
            received_at=received_at,
        )
        self._quotes[contract_id] = self.news.quotes[contract_id] = merged

    def take_trade(self, contract_id: str, trade: Trade) -> None:
        """Add a trade to the bar of its minute; one of a minute that is over is too late."""
        start = trade.traded_market_at.replace(second=0, microsecond=0)
        before = self._bars.get(contract_id)
        if before is not None and start < before.start:
            return
        if before is not None and start == before.start:
            bar = FormingBar(
                start=start,
                open=before.open,
                high=max(before.high, trade.price),
                low=min(before.low, trade.price),
                close=trade.price,
                volume=before.volume + trade.quantity,
                is_complete=before.is_complete,
            )
        else:
            if before is not None:
                self.news.ended[contract_id] = before
            since = self._listens_since.get(contract_id)
            price = trade.price
            bar = FormingBar(
                start=start, open=price, high=price, low=price, close=price, volume=trade.quantity,
                is_complete=since is not None and since <= start < start + MINUTE,
            )  # fmt: skip
        self._bars[contract_id] = self.news.forming[contract_id] = bar


def _newer(changed: Decimal | None, before: Decimal | None) -> Decimal | None:
    return before if changed is None else changed


def _part(bar: FormingBar) -> FormingBar:
    return FormingBar(
        start=bar.start, open=bar.open, high=bar.high, low=bar.low, close=bar.close, volume=bar.volume,
        is_complete=False,
    )  # fmt: skip
