"""The entries of the market hub as the simulator sends them (venue.md sections 7.3 and 7.6)."""

from datetime import datetime
from decimal import Decimal

from simulator.request_bodies import Int32, Int64
from simulator.schemas import Model


class QuoteMessage(Model, frozen=True):
    """One quote; only the names that every message has are required."""

    symbol: str
    last_updated: datetime
    timestamp: datetime
    contract: str | None
    symbol_name: str | None
    last_price: Decimal | None
    best_bid: Decimal | None
    best_ask: Decimal | None
    change: Decimal | None
    change_percent: Decimal | None
    open: Decimal | None
    high: Decimal | None
    low: Decimal | None
    volume: Int64 | None


class TradeEntry(Model, frozen=True):
    """One trade of the tape."""

    symbol_id: str
    contract_id: str
    price: Decimal
    timestamp: datetime
    type: Int32
    volume: Int64


class DepthEntry(Model, frozen=True):
    """One entry of the order book."""

    contract_id: str
    timestamp: datetime
    type: Int32
    price: Decimal
    volume: Int64
    current_volume: Int64
    index: Int32 | None
