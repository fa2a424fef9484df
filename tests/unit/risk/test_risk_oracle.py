"""Random days of an account, checked step by step by our rules and by a slow, plain reading of the rule book."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.market_data.calendar import calendar_of, trading_day_at
from shared.domain.market_data.contract import ROOTS as MARKETS
from shared.domain.orders.order import Side
from shared.domain.risk.account_risk import (
    AccountRisk,
    ClosedTrade,
    Holding,
    OpenEntry,
    mark_touched_limits,
    next_day_end,
)
from shared.domain.risk.account_rules import check_account, session_of
from shared.domain.risk.entry_rules import SizedEntry, check_entry_rules
from shared.domain.risk.findings import RuleAction, strongest_action
from shared.domain.risk.payouts import is_payout
from shared.domain.risk.personal_limits import ENTRY_STOPS
from shared.domain.risk.rule_book import PRESETS, RuleBook, preset_for
from shared.domain.risk.rule_changes import with_changes
from tests.fixtures.account_risks import contract, next_day
from tests.fixtures.plain_firm import (
    ROOTS,
    START_PRICE,
    OwnLimits,
    Pass,
    PlainFill,
    PlainFirm,
    PlainMove,
    PlainOrder,
    PlainResult,
    Price,
    Step,
)

PERSONAL_RULES = ENTRY_STOPS | {"max_by_root"}


class Ours:
    """The same account through our rules: a risk, marked after every step."""

    def __init__(self, book: RuleBook, clock: datetime, minutes_out: int) -> None:
        self.book, self.clock = book, clock
        start = book.starting_balance
        self.now = AccountRisk(
            balance=start,
            day_opening_balance=start,
            high_water_mark=start,
            locked_out_until_market_at=clock + timedelta(minutes=minutes_out),
        )
        self.lots: dict[str, list[tuple[int, int]]] = {root: [] for root in ROOTS}
        self.prices = dict.fromkeys(ROOTS, START_PRICE)
        self.was_paid = False

    def apply(self, step: Step, balance: Fraction) -> None:
        """Apply a step; the venue reports the balance, as the real one does."""
        if isinstance(step, PlainFill):
            self._fill(step)
        elif isinstance(step, Price):
            self.prices[step.root] += step.points
        elif isinstance(step, PlainOrder):
            side = Side.BUY if step.quantity > 0 else Side.SELL
            order = OpenEntry(contract(step.root).id, step.root, side, abs(step.quantity))
            self.now = replace(self.now, open_entries=(*self.now.open_entries, order))
        elif isinstance(step, Pass):
            until = self.clock + timedelta(minutes=step.minutes)
            while next_day_end(self.clock) <= until:
                self.clock = next_day_end(self.clock)
                self._end_day()
            self.clock = until
        elif isinstance(step, PlainMove):
            self._move(step.dollars, balance)
        held = tuple(self._held(root, lots) for root, lots in self.lots.items() if lots)
        exact = Decimal(balance.numerator) / balance.denominator
        result = exact - (self.now.balance or 0)
        if result and not isinstance(step, PlainMove):
            trades = (*self.now.closed_trades, ClosedTrade(result, self.clock))
            self.now = replace(self.now, closed_trades=trades)
        self.now = mark_touched_limits(replace(self.now, balance=exact, holdings=held), self.book)

    def _move(self, dollars: int, balance: Fraction) -> None:
        moved = self.now.moved_today + dollars
        exact = Decimal(balance.numerator) / balance.denominator
        is_paid = self.was_paid or is_payout(moved, exact, self.book.stage)
        self.book = replace(self.book, has_been_paid=is_paid)
        self.now = replace(self.now, moved_today=moved)

    def _end_day(self) -> None:
        """Begin the next day at the clock, and with it maybe the next week."""
        self.was_paid = self.book.has_been_paid
        before, ended, began = self.now, trading_day_at(self.clock - timedelta(seconds=1)), trading_day_at(self.clock)
        self.now = next_day(before, ended, began)

    def _fill(self, fill: PlainFill) -> None:
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

    def broken_rules(self, probe: PlainOrder) -> set[str]:
        calendar = calendar_of(MARKETS[probe.root].group)
        entry = SizedEntry(contract(probe.root), Side.BUY if probe.quantity > 0 else Side.SELL, abs(probe.quantity), 1)
        session = calendar.session_at(self.clock)
        findings = check_entry_rules(entry, self.now, self.book, self.clock, session=session, calendar=calendar)
        return {finding.rule for finding in findings}


# Coarse figures, so that a path touches limits exactly, and moves small enough for an account to last some days.
quantities = st.sampled_from([-3, -2, -1, 1, 2, 3])
roots = st.sampled_from(ROOTS)
probes = st.one_of(st.integers(-60, 60), st.sampled_from([20, 30, 50, 100])).filter(bool)
results = st.builds(PlainResult, st.sampled_from([-4, -3, -2, -2, -1, 1, 2, 4, 6]).map(lambda quarters: 250 * quarters))
moves = st.builds(PlainMove, st.sampled_from([-2_000, -500, -250, -250, -50, 300]))
passes = st.builds(Pass, st.sampled_from([1, 2, 20, 60, 300]))
busy_day = st.one_of(
    st.builds(PlainFill, roots, quantities),
    st.builds(Price, roots, st.integers(-3, 3).map(lambda points: 25 * points)),
    st.builds(PlainOrder, roots, quantities),
    results,
    moves,
    passes,
)
many_days = st.one_of(results, results, moves, passes, st.just(Pass(1440)))
# Before the clocks change, before they change back, and before Thanksgiving; some minutes before the edges of a day.
days = st.sampled_from([datetime(2026, 3, 5), datetime(2026, 10, 29), datetime(2026, 11, 23)])
hours = st.builds(
    lambda day, hour: 24 * day + hour, st.integers(0, 4), st.sampled_from([3, 13, 14, 17, 19, 20, 21, 22, 23])
)
minutes = st.builds(lambda hour, minute: 60 * hour + minute, hours, st.sampled_from([0, 7, 45, 50]))


def path_of(steps: st.SearchStrategy[Step]) -> st.SearchStrategy[list[tuple[Step, PlainOrder]]]:
    return st.lists(st.tuples(steps, st.builds(PlainOrder, roots, probes)), min_size=8, max_size=30)


# By the first balance, the size of a Combine without a size in its name is 50,000.
accounts = st.one_of(
    st.sampled_from(["50KTC-V2-1", "100KTC-SKU-1", "150KTC-V2-1", "S1FEB2600000001"]),
    st.sampled_from(["50KTC-V2-DLL-1", "100ktc-v2-dll-1", "150KTC-V2-DLL-1"]),
    st.sampled_from(["EXPRESS-V2-1", "EXPRESSJUL2400000001", "EXPRESS-V2-CT-DLL-1"]),
)


def book_of(name: str, size: int) -> RuleBook:
    """Return our book for an account's name; for an Express account that of the size that a person chose."""
    first = {"50": 50_000, "10": 100_000, "15": 150_000, "S1": 50_000}.get(name[:2], 0)
    book = preset_for(name, Decimal(first))
    return book if first else PRESETS[book.name.replace("50k", f"{size // 1000}k")]


@settings(max_examples=600)
@given(
    accounts,
    st.sampled_from([50_000, 100_000, 150_000]),
    st.builds(
        OwnLimits,
        target=st.sampled_from([None, 750, 1_500]),
        weekly=st.sampled_from([None, 1_000, 1_750]),
        losses=st.sampled_from([None, 2, 3]),
        pause=st.sampled_from([None, (1, 2), (2, 20)]),
        minutes_out=st.sampled_from([0, 0, 20, 1440]),
        by_root=st.sampled_from([{}, {"MNQ": 20}, {"NQ": 2, "MES": 30}, {"ZC": 1}]),
    ),
    st.tuples(days, minutes),
    st.one_of(path_of(busy_day), path_of(many_days)),
)
def test_our_rules_and_the_plain_reading_agree_after_every_step(
    name: str,
    size: int,
    own: OwnLimits,
    begins: tuple[datetime, int],
    path: list[tuple[Step, PlainOrder]],
) -> None:
    clock = begins[0].replace(tzinfo=UTC) + timedelta(minutes=begins[1])
    book = with_changes(
        book_of(name, size),
        {
            "daily_profit_target": str(own.target or "none"),
            "weekly_loss_limit": str(own.weekly or "none"),
            "max_consecutive_losses": str(own.losses or "none"),
            "loss_pause": "none" if own.pause is None else f"{own.pause[0]}, {own.pause[1]}",
            "max_by_root": ", ".join(f"{root} {most}" for root, most in own.by_root.items()) or "none",
            "max_quantity": "1000",
            "max_orders_per_minute": "1000",
        },
    )
    plain, ours = (
        PlainFirm(name, size if name.startswith("EXPRESS") else 50_000, own, clock),
        Ours(book, clock, own.minutes_out),
    )
    for index, (step, probe) in enumerate(path):
        plain.apply(step)
        ours.apply(step, plain.balance)

        forbidden = ours.broken_rules(probe)
        assert (index, plain.limit_status()) == (index, ours.limit_status())
        assert plain.takes_entries_now(probe.root) == (not {"session", "last_entry"} & forbidden)
        assert plain.allows(*probe) == ("contracts" not in forbidden)
        if plain.limit_status() != "ok":
            assert plain.is_exit(*probe) != bool({"max_loss_limit", "daily_loss_limit"} & forbidden)
            least = RuleAction.BLOCK if ours.now.is_flat else RuleAction.FLATTEN
            found = check_account(ours.now, ours.book, ours.clock, session_of(ours.now, ours.clock))
            assert least <= strongest_action(found)
        locks = plain.personal_locks() | ({"max_by_root"} if plain.exceeds_root(*probe) else set())
        locks = set() if plain.is_exit(*probe) else locks
        assert (index, locks) == (index, forbidden & PERSONAL_RULES)
