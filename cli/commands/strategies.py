"""`tickwork strategies`: the strategies, the accounts that trade them, and their newest decisions."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from cli.client.change_check import current_actor
from cli.client.lookup import resolve_account
from cli.client.risk_view import require_market
from cli.client.stack import begin, connect
from cli.commands.strategy_backtest import backtest
from cli.commands.strategy_show import show
from cli.console.groups import CommandGroup
from cli.console.list_options import echo_note, list_options
from cli.console.output import print_json
from cli.console.params import json_option
from cli.console.table import Table
from shared.db.accounts.audit import record_act
from shared.db.strategies import strategy_accounts, strategy_runs
from shared.db.strategies.strategy_accounts import StrategyShare
from strategies.registry import TRADED

_NEWEST = ("contract_id", "closed_until_market_at", "decision", "reason")  # of the newest evaluation
STRATEGIES_SHOWN = Table(
    "Strategies",
    ("strategy", "account", "trades", "why", "decision", "reason", "closed_until_market_at"),
    spare=("closed_until_market_at", "why"),
    is_list=True,
)


class TradedStrategyType(click.ParamType[str]):
    """The name of a strategy that accounts may trade."""

    name = "strategy"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name; fail when there is none."""
        if value not in TRADED:
            self.fail(f"unknown strategy {value!r}: expected one of {', '.join(TRADED)}", param, ctx)
        return value


@click.group(name="strategies", cls=CommandGroup, invoke_without_command=True)
@json_option
@list_options
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> None:
    """List the accounts of each strategy. `on` and `off` change them."""
    if ctx.invoked_subcommand is not None:
        return
    with connect() as connection:
        newest = strategy_runs.find_newest(connection, TRADED)
        rows = [
            row for one in TRADED for row in _list_rows(one, strategy_accounts.list_shares(connection, one), newest)
        ]
        is_live = require_market(connection).kind == "live"
    if as_json:
        print_json({"strategies": rows, "are_evaluated": not is_live})
        return
    shown = [row | {"trades": "yes" if row["trades"] else "no"} for row in rows]
    STRATEGIES_SHOWN.print(shown, empty="No strategy is registered: strategies/registry.py lists them.")
    if is_live:
        echo_note("Strategies are not evaluated at the real venue: only at the simulator.")


def _list_rows(
    strategy: str, shares: Sequence[StrategyShare], newest: Mapping[Any, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {
            "strategy": strategy,
            "account_id": one.account.id,
            "account": one.account.name,
            "can_trade": one.account.can_trade,
            "trades": one.trades,
            "why": one.why,
        }
        for one in shares
    ]
    if not any(one.trades for one in shares):
        why = "no account trades it; this is what it would do"
        rows.append(
            {
                "strategy": strategy,
                "account_id": None,
                "account": None,
                "can_trade": None,
                "trades": False,
                "why": why,
            }
        )
    for row in rows:
        run = newest.get((strategy, row["account_id"]), {})
        row |= {name: run.get(name) for name in _NEWEST}
    return rows


def _add_switch(name: str, help_text: str, *, is_on: bool) -> None:
    @command.command(name, help=help_text)
    @click.argument("strategy", type=TradedStrategyType())
    @click.argument("account")
    @json_option
    def switch(strategy: str, account: str, *, as_json: bool) -> None:
        with begin() as connection:
            row = resolve_account(connection, account)
            strategy_accounts.switch(connection, strategy, row.id, is_on=is_on)
            told = {"strategy": strategy}
            record_act(connection, current_actor(), f"strategy_{name}", row.id, before={}, after=told, reason=None)
            trading = strategy_accounts.list_trading(connection, strategy)
        if as_json:
            print_json({"strategy": strategy, "trading_account_ids": [one.id for one in trading]})
            return
        traded = ", ".join(f"account {one.id} ({one.name})" for one in trading) or "no account"
        when = "from the newest bar on" if is_on else "and orders already created are still sent"
        click.echo(f"{strategy} trades {traded}, {when}.")
        if row.id not in {one.id for one in trading} and is_on:
            click.echo(f"Account {row.id} may not trade at the venue; {strategy} begins when it may.")


_add_switch("on", "Let an account trade a strategy.", is_on=True)
_add_switch("off", "Stop an account from trading a strategy. Its positions stay open and protected.", is_on=False)
command.add_command(show)
command.add_command(backtest)
