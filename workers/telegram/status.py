"""The answer to /status: accounts, positions, working orders, today's result, and what is wrong."""

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import Connection

from shared.clock import machine_now
from shared.config import Settings
from shared.db.accounts.accounts import AccountRow
from shared.db.market_data import market_clock
from shared.db.metrics.present import list_fleets
from shared.db.orders import orders, positions
from shared.domain.accounts.account_name import shorten_account
from shared.domain.counting import count_of
from shared.domain.market_data.contract_text import shorten_contract, shorten_contracts
from shared.domain.market_data.price_text import format_price_of
from shared.domain.orders.order import OrderState, direction_of
from shared.domain.risk.account_risk import day_equity_result, day_result
from shared.domain.risk.findings import dollars
from shared.domain.risk.watch_gap import describe_duration
from shared.overview.alarms import list_alarms, list_gap_alarms
from shared.overview.comparison import describe_uncompared
from shared.overview.feed_view import describe_feed, read_feed_figures
from shared.overview.monitor_health import describe_monitor, read_monitor_figures
from shared.overview.risk_view import RiskView, read_risk_view
from shared.overview.stack_problems import list_problems
from workers.telegram.message_text import fit_lines

_SET_BACK = "since the clock was set back"


def describe_status(connection: Connection, settings: Settings) -> str:
    """Return what `tickwork status`, `positions` and `risk` show, in a few lines: what is wrong first."""
    market = market_clock.require(connection)
    found = read_risk_view(connection, settings)
    alarms = [*list_alarms(connection), *list_gap_alarms(connection)]
    problems = list_problems(connection, settings)
    lines = [
        f"{market.market} ({market.kind}), {market.clock.now():%Y-%m-%d %H:%M:%S} UTC",
        f"Risk monitor: {describe_monitor(read_monitor_figures(connection))}.",
        describe_feed(read_feed_figures(settings.cache_url)),
        *_list_gone_workers(connection),
        *(shorten_contracts(alarm.message) for alarm in alarms),
        *(f"PROBLEM, {one['name']}: {shorten_contracts(one['detail'])}." for one in problems),
    ]
    for one in found.accounts:
        lines += _describe_account(connection, found, one)
    return fit_lines(lines, "`tickwork status` and `tickwork positions`")


def _list_gone_workers(connection: Connection) -> Iterator[str]:
    fleets = list_fleets(connection)
    if not any(one.running for one in fleets):
        yield "Workers: NONE runs, so no order is sent and no position is closed."
    for one in fleets:
        if not one.running and one.age_s is not None:
            silent = f"for {describe_duration(timedelta(seconds=one.age_s))}" if one.age_s else _SET_BACK
            yield f"Workers of the fleet {one.fleet}: GONE, no heartbeat {silent}."


def _describe_account(connection: Connection, found: RiskView, row: AccountRow) -> Iterator[str]:
    snapshot = found.snapshots.get(row.id)
    result = None if snapshot is None else day_equity_result(snapshot.risk)
    closed = None if snapshot is None else day_result(snapshot.risk)
    today = f"today {dollars(result)}" if result is not None else f"today {dollars(closed)} without what is open"
    states = [one.state for one in orders.list_open(connection, row.id)]
    working = count_of(states.count(OrderState.WORKING), "working order")
    if in_doubt := states.count(OrderState.IN_DOUBT):
        working += f", {count_of(in_doubt, 'order')} IN DOUBT"
    held = positions.list_of_account(connection, row.id)
    uncompared = describe_uncompared(row, machine_now())
    told = [f"{shorten_account(row.name)}: {row.state}", today, working]
    if not held:
        told.append("flat" if uncompared is None else "no position known")
    yield ", ".join(told if uncompared is None else [*told, uncompared])
    for one in held:
        price = "an unknown price" if one.average_price is None else format_price_of(one.contract_id, one.average_price)
        contract = shorten_contract(one.contract_id)
        yield f"  {direction_of(one.quantity)} {abs(one.quantity)} {contract} at {price}"
