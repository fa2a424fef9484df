"""The pre-trade checks that come before the rule book: the account, the price, and a stop in ticks."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from shared.domain.accounts.stage import EXPECTED_NAMES, Stage, parse_stage
from shared.domain.counting import count_of
from shared.domain.market_data.bar import to_ticks
from shared.domain.market_data.calendar import Calendar
from shared.domain.market_data.contract import Contract
from shared.domain.market_data.price_text import format_price
from shared.domain.orders.order import MAX_TICKS, MIN_TICKS, PRICE_FIELDS, OrderType, Side
from shared.errors import MarketClosedError, OutsideCalendarError, PostponedError, RiskLimitError

# Beyond the market it fills at the market: a limit because it may, a stop because it triggers.
_FILLS_AT_ONCE = frozenset({OrderType.LIMIT, OrderType.STOP})
_RETRY_AFTER = timedelta(seconds=0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryTerms:
    """A request to enter; a protective level is in unsigned ticks from the entry or a price, not both.

    After `breakeven_ticks` of profit the stop moves to the entry's price; `trail_ticks` is its distance behind the
    best price.
    """

    side: Side
    quantity: int
    type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    stop_loss_ticks: int | None = None
    take_profit_ticks: int | None = None
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    breakeven_ticks: int | None = None
    trail_ticks: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryFacts:
    """The facts that an entry is checked against; `is_reconciled` means since the last start or `db upgrade`.

    `price` is the fill price of a market order of its side by the fresh quote, None without one. `is_live` means that
    entries are taken: the venue is the simulator, or live orders of the account are on, or in shadow mode.
    `read_only_reason` names another installation that trades the account. `untracked` says of a contract without a
    price that it is not tracked, and how to track it; `unreconciled_because` why an account stays not reconciled.
    """

    account_id: int
    account_name: str
    may_trade: bool
    is_live: bool
    halt_reason: str | None
    read_only_reason: str | None
    is_reconciled: bool
    has_in_doubt_order: bool
    is_being_flattened: bool
    contract: Contract
    price: Decimal | None
    default_stop_ticks: int | None = None
    untracked: str | None = None
    unreconciled_because: str | None = None


@dataclass(frozen=True, slots=True)
class Bracket:
    """The distances of the protective orders, in unsigned ticks from the fill."""

    stop_loss_ticks: int
    take_profit_ticks: int | None


def check_session(calendar: Calendar, contract: Contract, market_now: datetime, *, speed: int) -> None:
    """Raise MarketClosedError with the next opening, unless the firm takes new positions in `contract` now."""
    session = calendar.session_at(market_now)
    if session and calendar.is_open(market_now) and session.takes_entries_at(market_now):
        return
    pauses = session.pauses if session else ()
    pause_ends = next((pause.end for pause in pauses if pause.start <= market_now < pause.end), None)
    try:
        opens = pause_ends or calendar.next_session(market_now).opens
    except OutsideCalendarError as error:
        raise OutsideCalendarError(f"no new position in {contract.id} until the end of the table: {error}") from None
    raise MarketClosedError(
        f"no new position in {contract.id} at {market_now:%Y-%m-%d %H:%M} UTC of market time: "
        f"entries are possible from {opens:%Y-%m-%d %H:%M} UTC",
        (opens - market_now) / speed,
        opens,
    )


def check_preconditions(entry: EntryTerms, facts: EntryFacts) -> Bracket:
    """Return the entry's bracket if the account may enter and the entry is valid.

    Raise RiskLimitError if the entry must never be sent, PostponedError while a fact is missing that may still come.
    """
    _check_account(facts)
    _find_stop_ticks(entry, facts)
    _check_own_price(entry, facts.contract)
    if not facts.is_reconciled:
        because = "" if facts.unreconciled_because is None else f": {facts.unreconciled_because}"
        told = f"account {facts.account_name} is not reconciled with the venue yet{because}"
        raise PostponedError(told, _RETRY_AFTER, code="not_reconciled")
    if facts.has_in_doubt_order:
        raise PostponedError(f"account {facts.account_name} has an order in doubt", _RETRY_AFTER, code="order_in_doubt")
    if facts.is_being_flattened:
        raise PostponedError(f"{facts.contract.id} is being flattened", _RETRY_AFTER, code="being_flattened")
    _require_price(facts)
    stop = measure_stop(entry, facts)
    target = _measure_distance("take_profit", entry.take_profit_ticks, entry.take_profit, entry, facts)
    return Bracket(stop, target)


def measure_stop(entry: EntryTerms, facts: EntryFacts) -> int:
    """Return the stop of an entry in ticks: as given, or from the price at which it can fill.

    Raise RiskLimitError without a valid one, PostponedError without the quote that it is measured from.
    """
    ticks = _find_stop_ticks(entry, facts)
    _check_own_price(entry, facts.contract)
    stop = _measure_distance("stop_loss", ticks, entry.stop_loss, entry, facts)
    assert stop is not None  # noqa: S101  # `_find_stop_ticks` has required one
    return stop


def _find_fill_price(entry: EntryTerms, facts: EntryFacts) -> Decimal:
    """Return the price at which an entry can fill: its own, or that of the market if it fills or triggers at once.

    Without a quote it is its own; raise PostponedError for a market order, RiskLimitError for an invalid price.
    """
    own, market = _check_own_price(entry, facts.contract), facts.price
    if own is None:
        return _require_price(facts)
    if market is None or entry.type not in _FILLS_AT_ONCE:
        return own
    takes_lower = (entry.side is Side.BUY) is (entry.type is OrderType.LIMIT)
    return min(own, market) if takes_lower else max(own, market)


def _find_stop_ticks(entry: EntryTerms, facts: EntryFacts) -> int | None:
    """Return the stop in ticks, by default that of the account; None if it is given as a price."""
    if entry.stop_loss_ticks is not None or entry.stop_loss is not None:
        return entry.stop_loss_ticks
    if facts.default_stop_ticks is None:
        raise RiskLimitError(
            "the entry has no stop: send stop_loss_ticks or stop_loss (by hand: --stop TICKS), or set a default with "
            f"`tickwork accounts default-stop {facts.account_id} TICKS`"
        )
    return facts.default_stop_ticks


def _require_price(facts: EntryFacts) -> Decimal:
    if facts.price is None:
        why = " yet" if facts.untracked is None else f": {facts.untracked}"
        raise PostponedError(
            f"no fresh quote of {facts.contract.id}, so no entry is sent{why}", _RETRY_AFTER, code="no_fresh_quote"
        )
    return facts.price


def _check_account(facts: EntryFacts) -> None:
    if parse_stage(facts.account_name) is Stage.UNKNOWN:
        raise RiskLimitError(
            f"unknown stage of account {facts.account_name!r}, so it is not traded: expected a name that begins with "
            f"{EXPECTED_NAMES}",
            code="unknown_stage",
        )
    if not facts.may_trade:
        raise RiskLimitError(
            f"account {facts.account_name} may not trade, as the venue reports", code="closed_by_venue"
        )
    if not facts.is_live:
        raise RiskLimitError(
            f"live orders of account {facts.account_name} are off: `tickwork accounts live {facts.account_id} on` "
            "lets them reach the real venue",
            code="live_orders_off",
        )
    if facts.read_only_reason is not None:
        raise RiskLimitError(f"account {facts.account_name}: {facts.read_only_reason}", code="read_only")
    if facts.halt_reason is not None:
        raise RiskLimitError(f"account {facts.account_name} is halted: {facts.halt_reason}", code="halted")
    if not facts.contract.is_active:
        raise RiskLimitError(
            f"{facts.contract.id} is not the active contract of {facts.contract.root}", code="not_active_contract"
        )


def _check_own_price(entry: EntryTerms, contract: Contract) -> Decimal | None:
    """Return the entry's own price, None for a market order; raise RiskLimitError if it is invalid."""
    name = PRICE_FIELDS.get(entry.type)
    for other in PRICE_FIELDS.values():
        price = getattr(entry, other)
        if (price is not None) is (other != name):
            fault = "needs a" if price is None else "must have no"
            raise RiskLimitError(f"a {entry.type} order {fault} {other}")
        if price is not None:
            try:
                to_ticks(price, contract.tick_size)
            except ValueError as error:
                raise RiskLimitError(f"{other} of {contract.id}: {error}") from None
    found: Decimal | None = getattr(entry, name) if name else None
    return found


def _measure_distance(
    field: str, ticks: int | None, price: Decimal | None, entry: EntryTerms, facts: EntryFacts
) -> int | None:
    """Return the unsigned distance of a level in ticks; that of a price is from the fill, to the nearest tick."""
    contract = facts.contract
    if ticks is None:
        if price is None:
            return None
        sign = entry.side.sign if field == "take_profit" else -entry.side.sign
        basis = _find_fill_price(entry, facts)
        ticks = sign * int(((price - basis) / contract.tick_size).to_integral_value())
        at = f"{format_price(basis, contract.tick_size)} of {contract.id}"
        own = _check_own_price(entry, contract)
        if own not in {None, basis}:
            at += f", where a {entry.side} {entry.type} at {own} fills now"
        if ticks < 1:
            where = "above" if sign > 0 else "below"
            raise RiskLimitError(f"{field} {price} must lie {where} the entry at {at}")
        if ticks < MIN_TICKS:
            raise RiskLimitError(
                f"{field} {price} is {count_of(ticks, 'tick')} from the entry at {at}: the venue accepts none nearer "
                f"than {MIN_TICKS}"
            )
    if not MIN_TICKS <= ticks <= MAX_TICKS:
        raise RiskLimitError(f"{field}_ticks {ticks} must lie between {MIN_TICKS}, as the venue asks, and {MAX_TICKS}")
    return ticks
