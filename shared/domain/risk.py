"""Whether an entry may be sent: every rule that must hold, closed when a fact is missing."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from shared.domain.account import Stage, stage_of
from shared.domain.bar import MINUTE, Bar
from shared.domain.calendar import Calendar
from shared.domain.contract import Contract
from shared.domain.order import Side
from shared.errors import MarketClosedError, PostponedError, RiskLimitError

FRESH_FOR = timedelta(minutes=2)  # of market time, since the newest bar closed
_LOOK_AGAIN = timedelta(seconds=0.5)
_MOST_TICKS = 999_999


@dataclass(frozen=True, slots=True)
class Entry:
    """A wish to enter at the market; a protective level is given in ticks from the entry or as a price, not both."""

    side: Side
    quantity: int
    stop_loss_ticks: int | None = None
    take_profit_ticks: int | None = None
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known when the entry is judged; `is_reconciled` means since this stack started."""

    account_name: str
    may_trade: bool
    halt_reason: str | None
    is_reconciled: bool
    has_unknown_order: bool
    contract: Contract
    newest_bar: Bar | None
    max_quantity: int


@dataclass(frozen=True, slots=True)
class Bracket:
    """Where the protective orders go, in unsigned ticks from the fill."""

    stop_loss_ticks: int
    take_profit_ticks: int | None


def check_session(calendar: Calendar, contract: Contract, market_now: datetime, *, speed: int) -> None:
    """Raise MarketClosedError, telling when it opens, unless the firm takes new positions in `contract` now."""
    session = calendar.session_at(market_now)
    if session and calendar.is_open(market_now) and market_now < session.last_entry:
        return
    pauses = session.pauses if session else ()
    pause_ends = next((pause.end for pause in pauses if pause.start <= market_now < pause.end), None)
    opens = pause_ends or calendar.next_session(market_now).opens
    raise MarketClosedError(
        f"no new position in {contract.id} at {market_now:%Y-%m-%d %H:%M} UTC of market time: "
        f"entries are possible from {opens:%Y-%m-%d %H:%M} UTC",
        (opens - market_now) / speed,
        opens,
    )


def check_entry(entry: Entry, facts: Facts, market_now: datetime) -> Bracket:
    """Return the entry's bracket if every rule holds.

    Raise RiskLimitError when the entry must never be sent, PostponedError when a fact may still come.
    """
    if stage_of(facts.account_name) is Stage.UNKNOWN:
        raise RiskLimitError(
            f"account {facts.account_name!r} is of no stage we know, so it is not traded: "
            "names begin with PRAC-, 50KTC-, 100KTC-, 150KTC- or EXPRESS-"
        )
    if not facts.may_trade:
        raise RiskLimitError(f"account {facts.account_name} may not trade: the venue says so")
    if facts.halt_reason is not None:
        raise RiskLimitError(f"account {facts.account_name} is halted: {facts.halt_reason}")
    if not facts.contract.is_active:
        raise RiskLimitError(f"{facts.contract.id} is not the active contract of {facts.contract.root}")
    if not 1 <= entry.quantity <= facts.max_quantity:
        raise RiskLimitError(
            f"quantity {entry.quantity} is above the limit of {facts.max_quantity} contracts an order: "
            "send less, or raise TICKWORK_MAX_QUANTITY"
        )
    if entry.stop_loss_ticks is None and entry.stop_loss is None:
        raise RiskLimitError("the entry has no stop: send stop_loss_ticks or stop_loss")
    if not facts.is_reconciled:
        raise PostponedError(f"account {facts.account_name} is not reconciled since the start", _LOOK_AGAIN)
    if facts.has_unknown_order:
        raise PostponedError(f"account {facts.account_name} has an order whose fate is unknown", _LOOK_AGAIN)
    reference = _fresh(facts, market_now)
    stop_loss_ticks = _distance(
        "stop_loss",
        entry.stop_loss_ticks,
        entry.stop_loss,
        reference=reference,
        sign=-entry.side.sign,
        contract=facts.contract,
    )
    take_profit_ticks = _distance(
        "take_profit",
        entry.take_profit_ticks,
        entry.take_profit,
        reference=reference,
        sign=entry.side.sign,
        contract=facts.contract,
    )
    assert stop_loss_ticks is not None  # noqa: S101  # one of the two was given, see above
    return Bracket(stop_loss_ticks, take_profit_ticks)


def _fresh(facts: Facts, market_now: datetime) -> int:
    bar = facts.newest_bar
    if bar is None or bar.start + MINUTE < market_now - FRESH_FOR:
        age = "none is held" if bar is None else f"the newest closed {bar.start + MINUTE:%H:%M} UTC of market time"
        raise PostponedError(f"no fresh price of {facts.contract.id}: {age}", _LOOK_AGAIN)
    return bar.close


def _distance(
    field: str, ticks: int | None, price: Decimal | None, *, reference: int, sign: int, contract: Contract
) -> int | None:
    """Return the unsigned distance of a level; a price is measured from the last close, to the nearest tick."""
    if ticks is None:
        if price is None:
            return None
        ticks = sign * (int((price / contract.tick_size).to_integral_value()) - reference)
        if ticks < 1:
            where = "above" if sign > 0 else "below"
            raise RiskLimitError(
                f"{field} {price} must lie {where} the last close {reference * contract.tick_size} of {contract.id}"
            )
    if not 1 <= ticks <= _MOST_TICKS:
        raise RiskLimitError(f"{field}_ticks {ticks} must lie between 1 and {_MOST_TICKS}")
    return ticks
