"""The firm's rules as pure functions: loss limits, position limits, flat times. Source: venue.md section 9.

This is the simulator's own reading: the risk rules of the order path are written separately, so that each can reveal
mistakes of the other. Money is dollars. [SIM] marks rules without a source.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

from shared.domain.market_data.calendar import CHICAGO, Session
from shared.domain.market_data.contract import Root
from shared.domain.orders.order import Side
from simulator.venue.behaviour import EconomicEvent
from simulator.venue.records import AccountRecord, AccountStage, LossState

SIZES = (50_000, 100_000, 150_000)
_MAX_LOSS_LIMIT = {50_000: Decimal(2_000), 100_000: Decimal(3_000), 150_000: Decimal(4_500)}
# Where the account has one.
DAILY_LOSS_LIMIT = {50_000: Decimal(1_000), 100_000: Decimal(2_000), 150_000: Decimal(3_000)}
_MAX_MINIS = {50_000: 5, 100_000: 10, 150_000: 15}
# The scaling plan: (least balance at the start of the session, minis). XFA only.
_SCALING = {
    50_000: ((2_000, 5), (1_500, 3)),
    100_000: ((3_000, 10), (2_000, 5), (1_500, 4)),
    150_000: ((4_500, 15), (3_000, 10), (2_000, 5), (1_500, 4)),
}
_MIN_MINIS = {50_000: 2, 100_000: 3, 150_000: 3}
_MICROS_IN_MINI = 10
_MICROS = {"MES", "MNQ", "MYM", "M2K", "MCL", "MNG", "MGC", "MHG", "M6E", "M6B", "M6A"}
# They count as more than one micro; the number is not published. [SIM] two.
_HEAVY_MICROS = {"SIL", "MBT", "MET"}

_FLAT_BY = time(15, 10)
_DAY_BEGINS = time(17)
_BEFORE_EARLY_CLOSE = timedelta(minutes=15)
_NO_ENTRY_BEFORE_FLAT = timedelta(minutes=2)
_AROUND_EVENT = timedelta(minutes=5)


def starting_balance(stage: AccountStage, size: int) -> Decimal:
    """Return the balance of a new account: its size, or 0 for an Express account."""
    return Decimal(0) if stage is AccountStage.EXPRESS else Decimal(size)


def initial_loss_state(stage: AccountStage, size: int, balance: Decimal) -> LossState:
    """Return the loss state of a new account. [SIM] A practice account has no loss limit."""
    loss_limit_level = None if stage is AccountStage.PRACTICE else starting_balance(stage, size) - _MAX_LOSS_LIMIT[size]
    return LossState(loss_limit_level=loss_limit_level, day_balance=balance)


def next_day_loss_state(account: AccountRecord) -> LossState:
    """Return the loss state of an account after its trading day.

    `loss_limit_level` follows the end-of-day balance upwards, at most to the starting balance, and never falls.
    """
    was = account.loss_state
    loss_limit_level = was.loss_limit_level
    if loss_limit_level is not None:
        starts = starting_balance(account.stage, account.size)
        loss_limit_level = max(loss_limit_level, min(account.balance - _MAX_LOSS_LIMIT[account.size], starts))
    return replace(was, loss_limit_level=loss_limit_level, day_balance=account.balance, is_locked=False)


def least_equity(account: AccountRecord) -> tuple[Decimal, bool] | None:
    """Return the equity at which trading ends, and whether reaching it is a violation; None without a limit.

    The maximum loss limit ends trading for good; the optional daily one until the next trading day.
    """
    loss_state = account.loss_state
    if loss_state.is_violated:
        return None
    limits = [] if loss_state.loss_limit_level is None else [(loss_state.loss_limit_level, True)]
    if account.daily_loss_limit is not None and loss_state.day_balance is not None and not loss_state.is_locked:
        limits.append((loss_state.day_balance - account.daily_loss_limit, False))
    return max(limits, default=None)


def max_micros(account: AccountRecord) -> int:
    """Return the largest position in micros: by size; for an Express account by the balance at the start of its day."""
    minis = _MAX_MINIS[account.size]
    if account.stage is AccountStage.EXPRESS:
        balance = account.balance if account.loss_state.day_balance is None else account.loss_state.day_balance
        scaling_plan = _SCALING[account.size]
        minis = next(
            (count for least, count in scaling_plan if _is_reached(balance, least, scaling_plan)),
            _MIN_MINIS[account.size],
        )
    return minis * _MICROS_IN_MINI


def _is_reached(balance: Decimal, least: int, scaling_plan: tuple[tuple[int, int], ...]) -> bool:
    # The source has 1.5-2k and then >2k: only the highest step needs more than its balance.
    return balance > least if least == scaling_plan[0][0] else balance >= least


def count_micros(root: str, quantity: int) -> int:
    """Return the quantity of a root in micros; a mini counts as ten."""
    if root in _HEAVY_MICROS:
        return 2 * quantity
    return quantity if root in _MICROS else _MICROS_IN_MINI * quantity


def find_blocking_event(events: Sequence[EconomicEvent], root: Root, at: datetime) -> str | None:
    """Return the event that forbids a new position in a root, or None; it affects only equity index minis."""
    if root.group != "equity" or root.name in _MICROS:
        return None
    return next((event.name for event in events if abs(at - event.at) <= _AROUND_EVENT), None)


def micros_on_side(held: Mapping[str, int], wanted: Mapping[str, int], side: Side) -> int:
    """Return the size of one side in micros over the whole account, to compare with `max_micros`.

    For each contract: the position, or what it becomes once the working orders of that side (`wanted`) have filled,
    whichever is larger. `held` is positive for a long position; all quantities are micros.
    """
    return sum(
        max(abs(held.get(key, 0)), held.get(key, 0) * side.sign + wanted.get(key, 0)) for key in {*held, *wanted}
    )


def is_opening(held: int, side: Side, quantity: int) -> bool:
    """Whether an order would open, increase or reverse a position, and not only reduce it."""
    return held * side.sign + quantity > 0


def flat_by(session: Session) -> datetime:
    """Return when all positions must be closed: 15:10 in Chicago, or 15 minutes before an earlier close."""
    regular = datetime.combine(session.trading_day, _FLAT_BY, CHICAGO).astimezone(UTC)
    return regular if session.closes > regular else session.closes - _BEFORE_EARLY_CLOSE


def last_entry(session: Session) -> datetime:
    """Return from when no new position is accepted: two minutes before `flat_by`."""
    return flat_by(session) - _NO_ENTRY_BEFORE_FLAT


def next_day_begins(after: datetime) -> datetime:
    """Return the first 17:00 in Chicago after an instant: locks end, and a new day balance applies."""
    today = after.astimezone(CHICAGO).date()
    starts = datetime.combine(today, _DAY_BEGINS, CHICAGO).astimezone(UTC)
    if starts > after:
        return starts
    return datetime.combine(today + timedelta(days=1), _DAY_BEGINS, CHICAGO).astimezone(UTC)
