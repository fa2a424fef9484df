"""Risk snapshots of accounts: beside their rows, everything in Postgres that the rules need, in one round trip."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row

from shared.clock import MarketClock
from shared.db.accounts.accounts import AccountRow
from shared.db.risk.account_books import usable_book_of
from shared.db.risk.risk_facts import FACTS, Facts
from shared.domain.accounts.stage import Stage, parse_stage
from shared.domain.market_data.calendar import assumed_calendar_of, trading_day_at, trading_day_begins, trading_week_of
from shared.domain.market_data.contract import ROOTS, root_of_contract
from shared.domain.market_data.product_family import family_of
from shared.domain.orders.order import Direction, Side, direction_of
from shared.domain.risk.account_risk import AccountRisk, ClosedTrade, Holding, OpenEntry
from shared.domain.risk.disk_space import FRESH_FOR, WARN_BELOW, DiskSpace, find_fullest
from shared.domain.risk.next_day import start_next_day
from shared.domain.risk.rule_book import PRESETS, RuleBook

# Contract and signed quantity held -> the price at which it can be closed now; None without a fresh quote.
ExitPrice = Callable[[str, int], Decimal | None]
ExitPrices = Callable[[set[str]], ExitPrice]  # of these contracts


@dataclass(frozen=True, slots=True)
class RiskSnapshot:
    """An account, its rule book, and its risk.

    `flatten_requests` are the open ones: their contract, "" for the whole account, and their reason. `arriving` are the
    contracts and sides of which an entry may fill next, or an order has filled without our knowing the fill.
    """

    account: AccountRow
    book: RuleBook
    risk: AccountRisk
    has_in_doubt_order: bool
    flatten_requests: tuple[tuple[str, str], ...]
    arriving: frozenset[tuple[str, Side]]


def read(
    connection: Connection,
    accounts: Sequence[AccountRow],
    clock: MarketClock,
    exit_prices: ExitPrices,
    *,
    max_quantity: int | None = None,
) -> dict[int, RiskSnapshot]:
    """Return the risk snapshots of these accounts, in one round trip; accounts of an unknown stage are left out.

    `exit_prices` is called once, with every contract that they hold.
    """
    day = trading_day_at(clock.now())
    facts: defaultdict[int, Facts] = defaultdict(Facts)
    values = {"day": day, "day_began": trading_day_begins(day), "accounts": [one.id for one in accounts]}
    for row in connection.execute(FACTS, values | {"low_disk": WARN_BELOW, "disk_fresh": FRESH_FOR}):
        getattr(facts[row.account_id], row.kind).append(row)
    for found in facts.values():
        found.sort_external_orders()
    exit_price = exit_prices({row.contract_id for one in accounts for row in facts[one.id].held})
    # Accounts of one owner may not lie on opposite sides, also those that are not in `accounts`.
    directions = {account_id: _directions_by_family(found) for account_id, found in facts.items()}
    snapshots = {}
    for account in accounts:
        if account.preset not in PRESETS and parse_stage(account.name) is Stage.UNKNOWN:
            continue
        found = facts[account.id]
        others = [ways for other, ways in directions.items() if other != account.id]
        snapshots[account.id] = RiskSnapshot(
            account,
            usable_book_of(account, max_quantity=max_quantity),
            _to_account_risk(account, found, day=day, clock=clock, exit_price=exit_price, others=others),
            bool(found.in_doubt),
            tuple((row.contract_id, row.side) for row in found.flatten_request),
            frozenset((row.contract_id, Side(row.side)) for row in found.arriving),
        )
    return snapshots


def _to_account_risk(
    account: AccountRow,
    facts: Facts,
    *,
    day: date,
    clock: MarketClock,
    exit_price: ExitPrice,
    others: Sequence[Mapping[str, frozenset[Direction]]],
) -> AccountRisk:
    sent = facts.sent[0] if facts.sent else None
    trades = (ClosedTrade(row.price, row.at) for row in facts.closed_trade)
    return replace(
        _read_balances(account, facts, day),
        is_breached=account.breached_market_at is not None,
        is_day_locked=account.locked_on == day,
        is_profit_locked=account.profit_locked_on == day,
        is_week_locked=account.week_locked_on == trading_week_of(day),
        locked_out_until_market_at=account.locked_out_until_market_at,
        reduce_only_reason=account.reduce_only,
        is_reduced={row.contract_id for row in facts.held} <= {row.contract_id for row in facts.reduced},
        holdings=tuple(_to_holding(row, facts, exit_price, clock) for row in facts.held),
        open_entries=tuple(_to_open_entry(row) for row in [*facts.entry, *facts.unbooked_entry] if row.n > 0),
        trade_count_today=_count_trades(facts),
        closed_trades=tuple(sorted(trades, key=lambda trade: trade.closed_market_at)),
        opening_costs=facts.opening_costs[0].price if facts.opening_costs else Decimal(0),
        order_count_last_minute=sent.n if sent else 0,
        oldest_order_market_at=clock.to_market(sent.at) if sent else None,
        other_directions=_merge_directions(others),
        fullest_disk=find_fullest([DiskSpace(row.side, row.contract_id, row.n) for row in facts.low_disk]),
    )


def _read_balances(account: AccountRow, facts: Facts, day: date) -> AccountRisk:
    """Return the balances of a trading day, and what belongs to the days before it.

    Until the first report of a day its balances follow from those of the day before, as the report will store them.
    """
    known = account.trading_day or day
    week = str(trading_week_of(known))
    balances = AccountRisk(
        balance=account.balance,
        day_opening_balance=account.day_opening_balance,
        moved_today=account.moved_today,
        high_water_mark=account.high_water_mark,
        days=tuple(row.price for row in facts.day),
        days_since_payout=tuple(row.price for row in facts.day if row.side > str(account.last_paid_on or "")),
        earlier_week_result=sum((row.price for row in facts.day if week <= row.side < str(known)), start=Decimal(0)),
    )
    if account.trading_day is not None and known >= day:
        return balances
    stage, unsettled = parse_stage(account.name), account.unsettled_fall
    return start_next_day(balances, account.balance, ended=known, today=day, stage=stage, unsettled=unsettled)


def _to_holding(row: Row[Any], facts: Facts, exit_price: ExitPrice, clock: MarketClock) -> Holding:
    root = root_of_contract(row.contract_id).name
    price = exit_price(row.contract_id, row.n)
    if price is None and not assumed_calendar_of(ROOTS[root].group).is_open(clock.now()):
        # A market that does not trade has no quote, and what is held in it must hide no loss in the others.
        price = row.price if row.ticks is None else row.ticks * ROOTS[root].tick_size
    closing = Side.SELL if row.n > 0 else Side.BUY
    left, risk = abs(row.n), Decimal(0)
    basis = row.price if price is None else price
    value = ROOTS[root].tick_value / ROOTS[root].tick_size
    mine = [stop for stop in facts.stop if stop.contract_id == row.contract_id and stop.side == closing]
    for stop in sorted(mine, key=lambda stop: stop.price * closing.sign):
        covered = min(left, stop.n)
        left -= covered
        risk += max(Decimal(0), (basis - stop.price) * -closing.sign) * covered * value
    # A stop elsewhere that is larger than the position covers it too, as the guard sees it.
    left -= sum(one.n for one in facts.too_large_stop if one.contract_id == row.contract_id and one.side == closing)
    return Holding(row.contract_id, root, row.n, row.price, price, risk, unprotected=max(left, 0))


def _count_trades(facts: Facts) -> int:
    """Return the entries of today that are not among the open ones: also one whose fills came before its own report."""
    traded: int = facts.traded[0].n if facts.traded else 0
    booked = [row for row in facts.entry if row.n <= 0]
    return max(0, traded - len(facts.unbooked_entry)) + len(booked)


def _to_open_entry(row: Row[Any]) -> OpenEntry:
    root = root_of_contract(row.contract_id).name
    risk = (row.ticks or 0) * ROOTS[root].tick_value * row.n
    return OpenEntry(row.contract_id, root, Side(row.side), row.n, risk)


def _directions_by_family(facts: Facts) -> dict[str, frozenset[Direction]]:
    found: defaultdict[str, set[Direction]] = defaultdict(set)
    for row in facts.held:
        found[family_of(root_of_contract(row.contract_id).name)].add(direction_of(row.n))
    for row in [*facts.entry, *facts.unbooked_entry]:
        if row.n > 0:
            way = Direction.LONG if row.side == Side.BUY else Direction.SHORT
            found[family_of(root_of_contract(row.contract_id).name)].add(way)
    return {family: frozenset(ways) for family, ways in found.items()}


def _merge_directions(several: Sequence[Mapping[str, frozenset[Direction]]]) -> dict[str, frozenset[Direction]]:
    families = {family for one in several for family in one}
    return {family: frozenset().union(*(one.get(family, frozenset()) for one in several)) for family in families}
