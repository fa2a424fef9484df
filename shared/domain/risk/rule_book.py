"""The rules of an account: one frozen book per stage and size, in which a person can change every figure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from decimal import Decimal

from shared.domain.accounts.stage import EXPECTED_NAMES, Stage, has_daily_loss_limit, parse_size, parse_stage
from shared.domain.market_data.product_family import is_micro
from shared.errors import RefusedError

SIZES = (50_000, 100_000, 150_000)
_ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class ScalingStep:
    """One step of the scaling plan: the minis allowed from a balance on, or only above it. None is the lowest step."""

    minis: int
    balance: Decimal | None = None
    is_only_above: bool = False

    def is_reached_with(self, balance: Decimal) -> bool:
        """Whether a balance at the start of the session is enough for this step."""
        if self.balance is None:
            return True
        return balance > self.balance if self.is_only_above else balance >= self.balance


@dataclass(frozen=True, slots=True)
class NewsWindow:
    """The time around an event in which no new position in minis of a share index is allowed; both ends included."""

    name: str
    at: datetime  # market time
    before: timedelta = timedelta(minutes=5)
    after: timedelta = timedelta(minutes=5)
    blocks_micros: bool = False


@dataclass(frozen=True, slots=True)
class LossPause:
    """A pause without entries after each loss from the `after`-th in a row on."""

    after: int
    lasts: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleBook:
    """The rules of one account. Money is in dollars; None switches a rule off.

    The four shares are of the day's allowance, the loss that a limit allowed when the day opened: once that share is
    used up, warn, block entries, close half, or flatten. Raise ValueError for shares out of order, or a scaling plan
    that does not rise.
    """

    name: str
    version: str  # the month of the source
    source: str
    stage: Stage
    size: int
    starting_balance: Decimal  # the loss limit level stops rising here
    max_loss_limit: Decimal | None
    daily_loss_limit: Decimal | None = None
    has_been_paid: bool = False  # after the first payout of an Express account; see loss_limit_level_for
    profit_target: Decimal | None = None
    consistency_share: Decimal | None = None
    max_minis: int
    scaling_plan: tuple[ScalingStep, ...] = ()
    micros_per_mini: int = 10
    # The firm states that these weigh more than one micro, not how much. Two is our assumption.
    heavy_micros: tuple[str, ...] = ("SIL", "MBT", "MET")
    heavy_micro_weight: int = 2
    max_quantity: int = 5  # contracts of one order
    max_trades_per_day: int | None = None
    max_orders_per_minute: int = 30
    risk_per_trade: Decimal | None = None
    # The assumed fees of a contract, entry and exit: the dearest mini and micro of the firm's list, SI and SIL.
    costs_per_mini: Decimal = Decimal("4.32")
    costs_per_micro: Decimal = Decimal("2.72")
    trading_hours: tuple[time, time] | None = None  # Chicago, half-open; may span midnight
    news: tuple[NewsWindow, ...] = ()
    imported_news: tuple[NewsWindow, ...] = ()  # from calendar files of the trader
    invalid_changes: str | None = None  # why a person's change does not apply; nothing is entered until it is gone
    forbid_opposite_sides: bool = True  # the firm permanently closes accounts that hedge each other
    warn_at: Decimal = Decimal("0.50")
    block_at: Decimal = Decimal("0.75")
    reduce_at: Decimal | None = None
    flatten_at: Decimal = Decimal("0.90")
    # The personal limits of the trader.
    daily_profit_target: Decimal | None = None  # of a day, open profit included; reached, the day is over
    weekly_loss_limit: Decimal | None = None  # of a trading week, open profit included; touched, the week is over
    max_consecutive_losses: int | None = None  # trades of a day that lose in a row; reached, the day is over
    loss_pause: LossPause | None = None
    max_by_root: tuple[tuple[str, int], ...] = ()  # root and contracts; a root that is not among them has no limit

    def __post_init__(self) -> None:
        shares = [(name, share) for name in _SHARES if (share := getattr(self, name)) is not None]
        for (low_name, low), (name, share) in zip([("nothing", Decimal(0)), *shares], shares, strict=False):
            if share < low or not 0 < share <= _ONE:
                raise ValueError(
                    f"{name} {share} does not fit {low_name} {low}: expected shares above 0 and up to 1 with "
                    "warn_at <= block_at <= reduce_at <= flatten_at"
                )
        balances = [step.balance for step in self.scaling_plan]
        rising = [balance for balance in balances[1:] if balance is not None]
        if balances and (balances[0] is not None or len(rising) < len(balances) - 1 or rising != sorted(set(rising))):
            raise ValueError(
                "expected a scaling_plan with a count of minis for every balance first, then rising balances"
            )

    def count_micros(self, root: str, quantity: int) -> int:
        """Return how many micros a quantity of a root counts as."""
        if root in self.heavy_micros:
            return self.heavy_micro_weight * quantity
        return quantity if is_micro(root) else self.micros_per_mini * quantity

    def max_micros(self, day_opening_balance: Decimal) -> int:
        """Return the largest position in micros: by size and, under a scaling plan, by the day's opening balance."""
        steps = [step.minis for step in self.scaling_plan if step.is_reached_with(day_opening_balance)]
        return min([self.max_minis, *steps[-1:]]) * self.micros_per_mini

    def costs_of(self, root: str, quantity: int) -> Decimal:
        """Return the assumed fees of a quantity of a root, entry and exit, in dollars."""
        return quantity * (self.costs_per_micro if is_micro(root) else self.costs_per_mini)


_SHARES = ("warn_at", "block_at", "reduce_at", "flatten_at")
_VERSION = "2026-09"
_SOURCE = "TopstepX programme rules, help centre as of September 2026"
_MAX_LOSS_LIMIT = {50_000: Decimal(2_000), 100_000: Decimal(3_000), 150_000: Decimal(4_500)}
DAILY_LOSS_LIMIT = {50_000: Decimal(1_000), 100_000: Decimal(2_000), 150_000: Decimal(3_000)}  # if the account has one
_PROFIT_TARGET = {50_000: Decimal(3_000), 100_000: Decimal(6_000), 150_000: Decimal(9_000)}
_MOST_MINIS = {50_000: 5, 100_000: 10, 150_000: 15}
_CONSISTENCY = Decimal("0.55")  # of a Combine; that of an Express account belongs to one way to its payouts
# A step begins at its balance where the source has "<1.5k" for the step below. A balance that two ranges share
# ("1.5-2k", "2-3k") belongs to the lower: the stricter reading, until we have the firm's own table.
_FROM_1500 = Decimal(1_500)
_SCALING_PLANS = {
    50_000: (ScalingStep(2), ScalingStep(3, _FROM_1500), ScalingStep(5, Decimal(2_000), is_only_above=True)),
    100_000: (
        ScalingStep(3),
        ScalingStep(4, _FROM_1500),
        ScalingStep(5, Decimal(2_000), is_only_above=True),
        ScalingStep(10, Decimal(3_000), is_only_above=True),
    ),
    150_000: (
        ScalingStep(3),
        ScalingStep(4, _FROM_1500),
        ScalingStep(5, Decimal(2_000), is_only_above=True),
        ScalingStep(10, Decimal(3_000), is_only_above=True),
        ScalingStep(15, Decimal(4_500), is_only_above=True),
    ),
}


def _build_preset(stage: Stage, size: int) -> RuleBook:
    return RuleBook(
        name=f"{stage.value.lower()}-{size // 1000}k",
        version=_VERSION,
        source=_SOURCE,
        stage=stage,
        size=size,
        starting_balance=Decimal(0) if stage is Stage.EXPRESS else Decimal(size),
        # No source gives a practice account's max loss limit: it is practice for the Combine, so it gets the Combine's.
        max_loss_limit=_MAX_LOSS_LIMIT[size],
        daily_loss_limit=DAILY_LOSS_LIMIT[size] if stage is Stage.PRACTICE else None,
        profit_target=_PROFIT_TARGET[size] if stage is Stage.COMBINE else None,
        consistency_share=_CONSISTENCY if stage is Stage.COMBINE else None,
        max_minis=_MOST_MINIS[size],
        scaling_plan=_SCALING_PLANS[size] if stage is Stage.EXPRESS else (),
    )


def _build_presets() -> Iterator[RuleBook]:
    for stage in (Stage.COMBINE, Stage.EXPRESS, Stage.PRACTICE):
        for size in SIZES:
            preset = _build_preset(stage, size)
            yield preset
            if stage is not Stage.PRACTICE:
                yield replace(preset, name=f"{preset.name}-dll", daily_loss_limit=DAILY_LOSS_LIMIT[size])


PRESETS: dict[str, RuleBook] = {book.name: book for book in _build_presets()}


def initial_high_water_mark(account_name: str, balance: Decimal) -> Decimal | None:
    """Return the high-water mark of an account on first sight, or None if a person must supply it.

    It is known if the account still has its first balance, or so much that the loss limit level has stopped rising.
    A practice account, whose breach ends nothing, is assumed to be at its highest. An account of unknown stage is not
    traded, so its balance will do.
    """
    stage = parse_stage(account_name)
    if stage is Stage.UNKNOWN:
        return balance
    book = preset_for(account_name, balance)
    # By the largest size: that of an Express account is unknown.
    is_locked = book.max_loss_limit is not None and balance >= book.starting_balance + _MAX_LOSS_LIMIT[SIZES[-1]]
    if stage is Stage.PRACTICE or balance == book.starting_balance or is_locked:
        return balance
    return None


def first_preset(account_name: str, balance: Decimal) -> str | None:
    """Return the name of the preset that an account gets on first sight and keeps; None for an unknown stage."""
    return None if parse_stage(account_name) is Stage.UNKNOWN else preset_for(account_name, balance).name


def preset_for(account_name: str, balance: Decimal) -> RuleBook:
    """Return the book for an account by its name and balance; raise RefusedError for an unknown stage.

    The name of most Combines gives the size; any other Combine and a practice account get the largest size that the
    balance does not breach. A name with -DLL- is one with the daily loss limit that the firm sells.
    An Express account begins at zero in every size, so it gets the smallest and strictest that its balance does not
    breach, until a person names another preset.
    """
    stage = parse_stage(account_name)
    if stage is Stage.UNKNOWN:
        raise RefusedError(
            f"unknown stage of account {account_name!r}, so it has no rules: expected a name that begins with "
            f"{EXPECTED_NAMES}"
        )
    size = parse_size(account_name)
    if size is None and stage is Stage.EXPRESS:
        size = min((size for size in SIZES if -_MAX_LOSS_LIMIT[size] < balance), default=SIZES[-1])
    elif size is None:
        size = max((size for size in SIZES if size - _MAX_LOSS_LIMIT[size] < balance), default=SIZES[0])
    suffix = "-dll" if stage is not Stage.PRACTICE and has_daily_loss_limit(account_name) else ""
    return PRESETS[f"{stage.value.lower()}-{size // 1000}k{suffix}"]
