"""Recorded months traded without any sense: the rules alone keep every account above its loss limit level."""

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from itertools import groupby
from pathlib import Path

import pytest

from shared.domain.market_data.bar import Bar
from shared.domain.market_data.calendar import Session, calendar_of
from shared.domain.market_data.contract import ROOTS, Contract, contract_id
from shared.domain.orders.matching import Quote, moves_of
from shared.domain.orders.order import Side
from shared.domain.orders.position import Position, apply_fill, to_dollars
from shared.domain.risk.account_risk import (
    AccountRisk,
    Holding,
    loss_limit_level,
    mark_touched_limits,
    next_day_end,
)
from shared.domain.risk.account_rules import check_account, quantity_for
from shared.domain.risk.entry_rules import SizedEntry, check_entry_rules
from shared.domain.risk.findings import RuleAction, strongest_action
from shared.domain.risk.rule_book import PRESETS
from shared.domain.risk.rule_changes import with_changes
from tests.fixtures.account_risks import next_day

MGC = ROOTS["MGC"]
METALS = calendar_of("metals")
CONTRACT = Contract(contract_id(MGC, "G", 2025), "MGCG5", "MGC", MGC.tick_size, MGC.tick_value, is_active=True)
BOOK = with_changes(PRESETS["combine-50k"], {"max_quantity": "1000", "reduce_at": "0.80"})
SLIPPAGE = 2  # ticks, against us, at every fill
FEES = Decimal("0.61")  # a contract and side
STOPS = (40, 80, 150)  # ticks, in turn by day
FLIPS_EVERY = 7  # bars
RETRIES_AFTER = 5  # bars without a position after a denied entry
TICKS_A_CHECK = 4  # quotes come with the price, so the watch checks more often when it moves fast


@dataclass
class Gambler:
    """A trader that always holds the most allowed, with a distant stop, and reverses with every seventh bar."""

    is_ruled: bool
    now: AccountRisk
    stop_ticks: int
    position: Position = field(default_factory=Position)
    stop: int | None = None
    least_distance: Decimal = Decimal(10**6)  # equity above the loss limit level
    entry_count: int = 0
    bar_count: int = 0
    retries_from: int = 0  # the count of bars from which it submits entries again

    def trade(self, bars: list[Bar], session: Session) -> None:
        for bar in bars:
            for move in moves_of(bar) if self.position.quantity else ():
                checks = 1 + abs(move.end_price - move.start_price) // TICKS_A_CHECK
                for check in range(1, checks + 1):
                    if self.position.quantity:
                        at = move.start + (move.end - move.start) * check / checks
                        self.check_position(move.quote_at(at), at, session)
            if not self.is_ruled and self.least_distance <= 0:
                return
            self.bar_count += 1
            quote = Quote(bar.close, bar.close + 1, bar.close)
            at = bar.start + timedelta(seconds=59)
            if self.bar_count % FLIPS_EVERY == 0 and self.position.quantity:
                self.close(abs(self.position.quantity), quote)
            if not self.position.quantity and self.bar_count >= self.retries_from:
                self.enter(Side.BUY if self.bar_count // FLIPS_EVERY % 2 else Side.SELL, quote, at, session)

    def check_position(self, quote: Quote, at: datetime, session: Session) -> None:
        """Fill the stop if it is touched, then take the action of the watch."""
        sign = 1 if self.position.quantity > 0 else -1
        self.mark_to_quote(quote)
        if self.stop is not None and (quote.last - self.stop) * sign <= 0:
            self.close(abs(self.position.quantity), quote)
            return
        if not self.is_ruled:
            return
        self.now = mark_touched_limits(self.now, BOOK)
        action = strongest_action(check_account(self.now, BOOK, at, session))
        if action is RuleAction.FLATTEN:
            self.close(abs(self.position.quantity), quote)
        elif action is RuleAction.REDUCE:
            self.close((abs(self.position.quantity) + 1) // 2, quote)
            self.now = replace(self.now, is_reduced=True)

    def enter(self, side: Side, quote: Quote, at: datetime, session: Session) -> None:
        if self.is_ruled:
            equity, least = self.now.equity, loss_limit_level(self.now, BOOK)
            assert equity is not None
            assert least is not None
            costs = BOOK.costs_per_micro
            quantity = min(50, quantity_for(equity - least - 1, self.stop_ticks, MGC.tick_value, costs))
            entry = SizedEntry(CONTRACT, side, quantity, self.stop_ticks)
            if check_entry_rules(entry, self.now, BOOK, at, session=session, calendar=METALS):
                self.retries_from = self.bar_count + RETRIES_AFTER
                return
        else:
            quantity = 50
            if at >= session.flat_by - timedelta(minutes=2):
                return
        self.fill(side, quantity, quote)
        self.stop = int(self.position.average_price) - side.sign * self.stop_ticks
        self.entry_count += 1

    def close(self, quantity: int, quote: Quote) -> None:
        self.fill(Side.SELL if self.position.quantity > 0 else Side.BUY, quantity, quote)

    def fill(self, side: Side, quantity: int, quote: Quote) -> None:
        price = quote.price_for(side) + side.sign * SLIPPAGE
        self.position, parts = apply_fill(self.position, side, quantity, price)
        realised = sum((part.realised for part in parts if part.realised is not None), start=Fraction(0))
        assert self.now.balance is not None
        balance = self.now.balance + to_dollars(realised, MGC.tick_value) - FEES * quantity
        self.now = replace(self.now, balance=balance)
        self.mark_to_quote(quote)

    def mark_to_quote(self, quote: Quote) -> None:
        """Mark the position to the quote, and record the least distance to the loss limit level."""
        held: tuple[Holding, ...] = ()
        if self.position.quantity:
            average = self.position.average_price
            exit_price = quote.bid if self.position.quantity > 0 else quote.ask
            held = (
                Holding(
                    CONTRACT.id, "MGC", self.position.quantity,
                    Decimal(average.numerator) * MGC.tick_size / average.denominator, exit_price * MGC.tick_size,
                ),
            )  # fmt: skip
        self.now = replace(self.now, holdings=held)
        equity, least = self.now.equity, loss_limit_level(self.now, BOOK)
        assert equity is not None
        assert least is not None
        self.least_distance = min(self.least_distance, equity - least)


def new_gambler(stop_ticks: int, *, is_ruled: bool) -> Gambler:
    start = Decimal(50_000)
    return Gambler(is_ruled, AccountRisk(balance=start, day_opening_balance=start, high_water_mark=start), stop_ticks)


def bar_of(row: dict[str, str]) -> Bar:
    open_, high, low, close = (int(Decimal(row[name]) / MGC.tick_size) for name in "ohlc")
    return Bar(datetime.fromisoformat(row["t"]), open_, high, low, close, int(row["v"]))


@cache
def bars_of(file: Path) -> list[Bar]:
    with gzip.open(file, "rt") as text:
        return sorted(map(bar_of, csv.DictReader(text)), key=lambda bar: bar.start)


def trading_days(file: Path) -> Iterator[tuple[Session, list[Bar]]]:
    if not file.exists():
        pytest.skip(f"{file.name} is not on this machine")
    for _, of_day in groupby(bars_of(file), key=lambda bar: next_day_end(bar.start)):
        bars_of_day = list(of_day)
        session = METALS.session_at(bars_of_day[0].start)
        if session is not None:
            yield session, bars_of_day


MONTHS = pytest.mark.parametrize("name", ["mgcg5-1m-2024-12", "mgcm2-1m-2022-04"])


@MONTHS
def test_an_account_traded_without_sense_for_a_month_is_never_breached(recorded_bars: Path, name: str) -> None:
    one = new_gambler(STOPS[-1], is_ruled=True)
    for number, (session, bars) in enumerate(trading_days(recorded_bars.parent / f"{name}.csv.gz")):
        one.stop_ticks = STOPS[number % len(STOPS)]
        one.trade(bars, session)
        assert not one.position.quantity, "flat over night"
        one.now = next_day(one.now)

    assert one.entry_count > 20
    assert not one.now.is_breached
    assert one.least_distance > 0


@MONTHS
def test_a_new_account_every_day_is_never_breached_and_without_the_rules_some_are(
    recorded_bars: Path, name: str
) -> None:
    distances: dict[bool, list[Decimal]] = {True: [], False: []}
    for number, (session, bars) in enumerate(trading_days(recorded_bars.parent / f"{name}.csv.gz")):
        for is_ruled, least in distances.items():
            gambler = new_gambler(STOPS[number % len(STOPS)], is_ruled=is_ruled)
            gambler.trade(bars, session)
            least.append(gambler.least_distance)

    assert min(distances[True]) > 0
    assert min(distances[False]) <= 0
