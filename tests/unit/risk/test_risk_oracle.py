"""Random days of an account, checked step by step by our rules and by a slow, plain reading of the rule book."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.market_data.calendar import calendar_of
from shared.domain.orders.order import Side
from shared.domain.risk.account_risk import (
    AccountRisk,
    Holding,
    OpenEntry,
    mark_touched_limits,
    next_day_end,
)
from shared.domain.risk.account_rules import check_account
from shared.domain.risk.entry_rules import SizedEntry, check_entry_rules
from shared.domain.risk.findings import RuleAction, strongest_action
from shared.domain.risk.rule_book import PRESETS, RuleBook
from shared.domain.risk.rule_changes import with_changes
from tests.fixtures.account_risks import contract, next_day

CHICAGO = ZoneInfo("America/Chicago")
ROOTS = ("NQ", "MNQ", "MES", "MBT")
DOLLARS_PER_POINT: dict[str, int | Fraction] = {"NQ": 20, "MNQ": 2, "MES": 5, "MBT": Fraction(1, 10)}
START_PRICE = 20_000


class Fill(NamedTuple):
    root: str
    quantity: int  # below zero sells


class Price(NamedTuple):
    root: str
    points: int


class Order(NamedTuple):
    root: str
    quantity: int


class Result(NamedTuple):
    dollars: int  # of round trips without details


class Pass(NamedTuple):
    minutes: int


Step = Fill | Price | Order | Result | Pass


@dataclass
class PlainFirm:
    """Venue.md section 9, clause by clause, for an account of one stage and size."""

    stage: str
    size: int
    daily: int | None
    clock: datetime
    balance: Fraction = Fraction(0)
    ends: list[Fraction] = field(default_factory=list)
    lots: list[tuple[str, int, int]] = field(default_factory=list)  # root, +1 or -1, price
    orders: list[tuple[str, int]] = field(default_factory=list)
    prices: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ROOTS, START_PRICE))
    is_breached: bool = False
    is_locked: bool = False

    def __post_init__(self) -> None:
        self.start = Fraction(0 if self.stage == "express" else self.size)
        self.balance = self.start
        self.ends = [self.start]
        self.mark_touches()

    def apply(self, step: Step) -> None:
        if isinstance(step, Fill):
            for _ in range(abs(step.quantity)):
                self.fill_one(step.root, 1 if step.quantity > 0 else -1)
        elif isinstance(step, Price):
            self.prices[step.root] += step.points
        elif isinstance(step, Order):
            self.orders.append(step)
        elif isinstance(step, Result):
            self.balance += step.dollars
        else:
            self.pass_time(step.minutes)
        self.mark_touches()

    def fill_one(self, root: str, way: int) -> None:
        """Close the oldest lot of the other direction with one contract, or open a new lot."""
        for index, (lot_root, lot_way, price) in enumerate(self.lots):
            if lot_root == root and lot_way == -way:
                self.balance += (self.prices[root] - price) * lot_way * DOLLARS_PER_POINT[root]
                del self.lots[index]
                return
        self.lots.append((root, way, self.prices[root]))

    def pass_time(self, minutes: int) -> None:
        while minutes:
            hop = min(minutes, 60 - self.clock.minute)  # from one full hour to the next
            minutes -= hop
            self.clock += timedelta(minutes=hop)
            here = self.clock.astimezone(CHICAGO)
            if (here.hour, here.minute) == (17, 0):
                self.ends.append(self.balance)
                self.is_locked = False

    def mark_touches(self) -> None:
        """Net P&L includes the unrealised; a touch is enough; a breach is for good, a lock until 17:00."""
        equity = self.balance
        for root, way, price in self.lots:
            equity += (self.prices[root] - price) * way * DOLLARS_PER_POINT[root]
        amount = {50_000: 2_000, 100_000: 3_000, 150_000: 4_500}[self.size]
        level = max(self.ends) - amount
        level = min(level, self.start)
        if equity <= level:
            self.is_breached = True
        if self.daily is not None and equity - self.ends[-1] <= -self.daily:
            self.is_locked = True

    def limit_status(self) -> str:
        return "breached" if self.is_breached else "locked" if self.is_locked else "ok"

    def takes_entries_now(self) -> bool:
        """Sunday 17:00 to Friday, no new position after 15:08; early days flat 15 minutes before the close."""
        here = self.clock.astimezone(CHICAGO)
        minute = here.hour * 60 + here.minute
        day = here.date()
        if minute >= 17 * 60:
            day, minute = day + timedelta(days=1), 0
        if day.weekday() in {5, 6}:
            return False
        early = {"2026-11-26": 12 * 60, "2026-11-27": 12 * 60 + 15}.get(str(day))
        last = 15 * 60 + 8 if early is None else early - 15 - 2
        return minute < last

    def is_exit(self, root: str, quantity: int) -> bool:
        """Whether an order leaves a smaller position, after all working orders on its side: exits always pass."""
        way = 1 if quantity > 0 else -1
        net = sum(lot_way for lot_root, lot_way, _ in self.lots if lot_root == root)
        waiting = sum(abs(size) for name, size in self.orders if name == root and size * way > 0)
        return -net * way - waiting >= abs(quantity)

    def allows(self, root: str, quantity: int) -> bool:
        """Minis and micros count ten to one over the whole account; working orders of that side count too."""
        way = 1 if quantity > 0 else -1
        if self.is_exit(root, quantity):
            return True
        total = abs(quantity) * self.weight(root)
        for name in ROOTS:
            total += abs(sum(lot_way for lot_root, lot_way, _ in self.lots if lot_root == name)) * self.weight(name)
        for name, size in self.orders:
            if size * way > 0:
                total += abs(size) * self.weight(name)
        return total <= 10 * self.minis()

    @staticmethod
    def weight(root: str) -> int:
        return {"NQ": 10, "MNQ": 1, "MES": 1, "MBT": 2}[root]

    def minis(self) -> int:
        opening = self.ends[-1]
        if self.stage != "express":
            return {50_000: 5, 100_000: 10, 150_000: 15}[self.size]
        if opening < 1_500:
            return 2 if self.size == 50_000 else 3
        if opening <= 2_000:
            return 3 if self.size == 50_000 else 4
        if self.size == 50_000 or opening <= 3_000:
            return 5
        if self.size == 100_000 or opening <= 4_500:
            return 10
        return 15


class Ours:
    """The same account through our rules: a risk, marked after every step."""

    def __init__(self, book: RuleBook, clock: datetime) -> None:
        self.book, self.clock = book, clock
        start = book.starting_balance
        self.now = AccountRisk(balance=start, day_opening_balance=start, high_water_mark=start)
        self.lots: dict[str, list[tuple[int, int]]] = {root: [] for root in ROOTS}
        self.prices = dict.fromkeys(ROOTS, START_PRICE)

    def apply(self, step: Step, balance: Fraction) -> None:
        """Apply a step; the venue reports the balance, as the real one does."""
        if isinstance(step, Fill):
            self._fill(step)
        elif isinstance(step, Price):
            self.prices[step.root] += step.points
        elif isinstance(step, Order):
            side = Side.BUY if step.quantity > 0 else Side.SELL
            order = OpenEntry(contract(step.root).id, step.root, side, abs(step.quantity))
            self.now = replace(self.now, open_entries=(*self.now.open_entries, order))
        elif isinstance(step, Pass):
            until = self.clock + timedelta(minutes=step.minutes)
            while next_day_end(self.clock) <= until:
                self.clock = next_day_end(self.clock)
                self.now = next_day(self.now)
            self.clock = until
        held = tuple(self._held(root, lots) for root, lots in self.lots.items() if lots)
        exact = Decimal(balance.numerator) / balance.denominator
        self.now = mark_touched_limits(replace(self.now, balance=exact, holdings=held), self.book)

    def _fill(self, fill: Fill) -> None:
        lots, way = self.lots[fill.root], 1 if fill.quantity > 0 else -1
        for _ in range(abs(fill.quantity)):
            if lots and lots[0][0] == -way:
                lots.pop(0)
            else:
                lots.append((way, self.prices[fill.root]))

    def _held(self, root: str, lots: list[tuple[int, int]]) -> Holding:
        average = Decimal(sum(price for _, price in lots)) / len(lots)
        return Holding(contract(root).id, root, sum(way for way, _ in lots), average, Decimal(self.prices[root]))

    def limit_status(self) -> str:
        return "breached" if self.now.is_breached else "locked" if self.now.is_day_locked else "ok"

    def broken_rules(self, probe: Order) -> set[str]:
        calendar = calendar_of("equity")
        entry = SizedEntry(contract(probe.root), Side.BUY if probe.quantity > 0 else Side.SELL, abs(probe.quantity), 1)
        session = calendar.session_at(self.clock)
        findings = check_entry_rules(entry, self.now, self.book, self.clock, session=session, calendar=calendar)
        return {finding.rule for finding in findings}


# Coarse figures, so that a path touches limits exactly, and moves small enough for an account to last some days.
quantities = st.sampled_from([-3, -2, -1, 1, 2, 3])
roots = st.sampled_from(ROOTS)
probes = st.one_of(st.integers(-60, 60), st.sampled_from([20, 30, 50, 100])).filter(bool)
results = st.builds(Result, st.sampled_from([-4, -3, -2, -2, -1, 1, 2, 4, 6]).map(lambda quarters: 250 * quarters))
passes = st.builds(Pass, st.sampled_from([1, 2, 20, 60, 300]))
busy_day = st.one_of(
    st.builds(Fill, roots, quantities),
    st.builds(Price, roots, st.integers(-3, 3).map(lambda points: 25 * points)),
    st.builds(Order, roots, quantities),
    results,
    passes,
)
many_days = st.one_of(results, results, passes, st.just(Pass(1440)))
# Before the clocks change, before they change back, and before Thanksgiving; some minutes before the edges of a day.
days = st.sampled_from([datetime(2026, 3, 5), datetime(2026, 10, 29), datetime(2026, 11, 23)])
hours = st.builds(lambda day, hour: 24 * day + hour, st.integers(0, 4), st.sampled_from([3, 14, 17, 20, 21, 22, 23]))
minutes = st.builds(lambda hour, minute: 60 * hour + minute, hours, st.sampled_from([0, 7, 50]))


def path_of(steps: st.SearchStrategy[Step]) -> st.SearchStrategy[list[tuple[Step, Order]]]:
    return st.lists(st.tuples(steps, st.builds(Order, roots, probes)), min_size=8, max_size=30)


@settings(max_examples=250)
@given(
    st.sampled_from(["combine", "express"]),
    st.sampled_from([50_000, 100_000, 150_000]),
    st.sampled_from([None, 1_000, 3_000]),
    st.tuples(days, minutes),
    st.one_of(path_of(busy_day), path_of(many_days)),
)
def test_our_rules_and_the_plain_reading_agree_after_every_step(
    stage: str, size: int, daily: int | None, begins: tuple[datetime, int], path: list[tuple[Step, Order]]
) -> None:
    clock = begins[0].replace(tzinfo=UTC) + timedelta(minutes=begins[1])
    book = with_changes(
        PRESETS[f"{stage}-{size // 1000}k"],
        {"daily_loss_limit": str(daily or "none"), "max_quantity": "1000", "max_orders_per_minute": "1000"},
    )
    plain, ours = PlainFirm(stage, size, daily, clock), Ours(book, clock)
    for index, (step, probe) in enumerate(path):
        plain.apply(step)
        ours.apply(step, plain.balance)

        forbidden = ours.broken_rules(probe)
        assert (index, plain.limit_status()) == (index, ours.limit_status())
        assert plain.takes_entries_now() == (not {"session", "last_entry"} & forbidden)
        assert plain.allows(*probe) == ("contracts" not in forbidden)
        if plain.limit_status() != "ok":
            assert plain.is_exit(*probe) != bool({"max_loss_limit", "daily_loss_limit"} & forbidden)
            session = calendar_of("equity").session_at(ours.clock)
            least = RuleAction.BLOCK if ours.now.is_flat else RuleAction.FLATTEN
            assert least <= strongest_action(check_account(ours.now, book, ours.clock, session))
