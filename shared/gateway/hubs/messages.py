"""The parser of hub events: sparse quotes, trades in arrays, entities wrapped or not."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from shared.gateway import json_text, wire


class QuoteChange(msgspec.Struct, rename="camel", frozen=True):
    """The changed fields of a quote; None means unchanged, never zero."""

    best_bid: Decimal | None = None
    best_ask: Decimal | None = None
    last_price: Decimal | None = None
    volume: Decimal | None = None
    timestamp: str | None = None
    last_updated: str | None = None

    @property
    def changed_market_at(self) -> datetime | None:
        """The time of the change as the venue reports it, or None."""
        text = self.timestamp or self.last_updated
        return None if text is None else wire.parse_instant(text)


class _Trade(msgspec.Struct, rename="camel", frozen=True):
    price: Decimal | None = None
    volume: Decimal | None = None
    timestamp: str | None = None
    type: int | None = None


@dataclass(frozen=True, slots=True)
class Trade:
    """One trade of the market; `is_buy` is True if the buyer took the seller's price."""

    price: Decimal
    quantity: int
    traded_market_at: datetime
    is_buy: bool


_QUOTE = msgspec.json.Decoder(QuoteChange)
_TRADES = msgspec.json.Decoder(list[_Trade | None] | _Trade)
_CONTRACT = msgspec.json.Decoder(str)


def contract_of(arguments: list[msgspec.Raw]) -> str:
    """Return the contract id of a market hub event: its first argument, never its `symbol`."""
    return _CONTRACT.decode(arguments[0])


def parse_quote(arguments: list[msgspec.Raw]) -> QuoteChange:
    """Parse a GatewayQuote."""
    return _QUOTE.decode(arguments[1])


def parse_trades(arguments: list[msgspec.Raw]) -> Iterator[Trade]:
    """Yield the trades of a GatewayTrade: one object, or an array padded with nulls."""
    found = _TRADES.decode(arguments[1])
    for one in found if isinstance(found, list) else [found]:
        if one is not None and one.price is not None and one.volume is not None and one.timestamp is not None:
            yield Trade(one.price, int(one.volume), wire.parse_instant(one.timestamp), one.type == 0)


def parse_entities(arguments: list[msgspec.Raw]) -> Iterator[dict[str, Any]]:
    """Yield the entities of a user hub event: wrapped in {action, data} or not, one or an array of them."""
    for argument in arguments:
        yield from _unwrap(json_text.parse(bytes(argument)))


def _unwrap(found: object) -> Iterator[dict[str, Any]]:
    if isinstance(found, list):
        for one in found:
            yield from _unwrap(one)
    elif isinstance(found, dict):
        if "data" in found and "id" not in found:
            yield from _unwrap(found["data"])
        else:
            yield found
