"""`tickwork positions`: open positions and their stops; close, breakeven and trail."""

from contextlib import suppress
from typing import Any
from uuid import UUID

import click
from sqlalchemy import Connection

from cli.client.change_check import current_actor
from cli.client.fill_wait import is_filled, wait_for_fills
from cli.client.flatten import flatten, warn_read_only
from cli.client.job_client import JobClient, open_client, wait_option
from cli.client.locks import end_blocking_sessions
from cli.client.lookup import list_exit_contracts, resolve_account, resolve_contract, short_id
from cli.client.order_changes import OrderChangeRequest, apply_changes
from cli.client.position_view import list_positions, to_cells
from cli.client.stack import begin, connect, load_stack_settings
from cli.commands.flatten import select_closable
from cli.console.groups import CommandGroup
from cli.console.list_options import echo_note, list_options
from cli.console.output import print_json
from cli.console.params import account_option, json_option, parse_ticks_or_none
from cli.console.table import Table
from shared.clock import monotonic
from shared.db.accounts import accounts
from shared.db.accounts.accounts import AccountRow
from shared.db.accounts.audit import record_act
from shared.db.orders import orders, positions
from shared.db.orders.orders import OrderRow
from shared.db.orders.positions import PositionRow
from shared.db.orders.stops import list_external, list_working, read_stopped_position, set_trail
from shared.domain.market_data.contract import Contract
from shared.domain.market_data.contract_text import shorten_contract, shorten_contracts
from shared.domain.orders.order import ChangeKind, OrderState, direction_of
from shared.domain.orders.stop_moves import plan_breakeven, require_to_rest
from shared.errors import RefusedError
from shared.hot.quotes import exit_price_from
from shared.ledger.jobs.orders import ReducePosition
from shared.overview.alarms import list_alarms
from shared.overview.holdings import describe_holdings
from shared.overview.risk_view import read_fresh_quotes

POSITIONS = Table(
    "Positions",
    ("account", "contract", "direction", "quantity", "average", "price", "open_profit", "stop", "guarded_by"),
    spare=("guarded_by", "price", "average"),
    is_list=True,
)
_dry_run_option = click.option("--dry-run", is_flag=True, help="Show the requests; send nothing.")


@click.group(name="positions", cls=CommandGroup, invoke_without_command=True)
@json_option
@list_options
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> None:
    """List open positions, profit and stops. The subcommands close positions and move their stops."""
    if ctx.invoked_subcommand is not None:
        return
    settings = load_stack_settings()
    with connect() as connection:
        rows = list_positions(connection, settings)
        alarms = list_alarms(connection)
    if as_json:
        print_json({"positions": rows, "alarms": alarms})
        return
    for alarm in alarms:
        echo_note(alarm.message)
    POSITIONS.print(list(map(to_cells, rows)), empty="Flat: no open position.")
    if any(row["price"] is None for row in rows):
        echo_note("Open profit is unknown without a fresh quote: check the feed with `tickwork status`.")


@command.command("close")
@click.argument("symbol")
@click.argument("quantity", type=click.IntRange(min=1), required=False)
@account_option
@_dry_run_option
@wait_option
@json_option
def close(
    symbol: str, quantity: int | None, account_word: str | None, wait_s: float, *, dry_run: bool, as_json: bool
) -> None:
    """Close a position and cancel its orders. With QUANTITY, close only so many contracts: `positions close MNQ 1`."""
    with end_blocking_sessions(), open_client() as client:
        with client.connect() as connection:
            account = resolve_account(connection, account_word)
            select_closable(connection, str(account.id))
            contract_ids = [one.id for one in list_exit_contracts(connection, [account.id], symbol)]
            held = {one: abs(positions.quantity_of(connection, account.id, one)) for one in contract_ids}
            found = describe_holdings(connection, [account], contract_ids)
            if quantity is not None:
                warn_read_only(connection, [account])
        names = ", ".join(map(shorten_contract, contract_ids))
        if quantity is not None:
            total = sum(held.values())
            if quantity > total:
                raise RefusedError(f"invalid quantity '{quantity}': {account.name} holds {total} of {names}")
            _reduce_positions(client, account, held, quantity, wait_s, dry_run=dry_run, as_json=as_json)
        elif dry_run:
            if as_json:
                with client.connect() as connection:
                    rows = [_preview_close(connection, account.id, one) for one in contract_ids]
                print_json({"is_dry_run": True, "would_close": rows})
            else:
                click.echo(f"Dry run: nothing was sent. It would close and cancel all of {names}: {found}.")
        else:
            flatten(client, [account], contract_ids, "closed by hand", wait_s, as_json=as_json)


def _preview_close(connection: Connection, account_id: int, contract_id: str) -> dict[str, Any]:
    quantity = positions.quantity_of(connection, account_id, contract_id)
    return {
        "contract_id": contract_id,
        "direction": direction_of(quantity),
        "quantity": abs(quantity),
        "order_ids": [one.id for one in orders.list_open_in_contract(connection, account_id, contract_id)],
    }


def _reduce_positions(
    client: JobClient,
    account: AccountRow,
    held: dict[str, int],
    quantity: int,
    wait_s: float,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Close `quantity` contracts of what is held, each contract in the order of `held`."""
    job_by_contract: dict[str, UUID] = {}
    with client.transaction() as tx:
        for contract_id, most in held.items():
            if part := min(quantity, most):
                request = ReducePosition(
                    account_id=account.id, contract_id=contract_id, quantity=part, is_dry_run=dry_run
                )
                job_by_contract[contract_id] = tx.enqueue(request).job_id
                quantity -= part
                if not dry_run:
                    told = {"contract": contract_id, "quantity": part}
                    record_act(
                        tx.connection, current_actor(), "close_part", account.id, before={}, after=told, reason=None
                    )
    began = monotonic()
    outcomes = client.wait(list(job_by_contract.values()), wait_s, quiet=as_json)
    outcomes.require_success()
    rows = [outcomes.result(job_id) for job_id in job_by_contract.values()]
    with client.connect() as connection:
        # Not the order of the result: if the venue was not reached, another one has taken its place.
        found = [orders.find_exit(connection, account.id, *one) for one in job_by_contract.items()]
        exits = [order_id for order_id in found if order_id is not None]
    with suppress(KeyboardInterrupt):  # the orders are sent
        wait_for_fills(client, exits, wait_s - (monotonic() - began))
    with client.connect() as connection:
        left = [positions.quantity_of(connection, account.id, contract_id) for contract_id in job_by_contract]
        unfilled = [orders.get(connection, one) for one in exits if not is_filled(connection, one)]
    if unfilled and (order := unfilled[0]) is not None:
        shown_by = f"`tickwork orders show {short_id(order.id)}` shows it"
        if order.state.is_final and order.state is not OrderState.FILLED:
            raise RefusedError(f"the exit has ended as {order.state}, and not all is closed: {shown_by}")
        raise RefusedError(f"the exit is sent and not confirmed filled yet: {shown_by}")
    if as_json:
        names = ("side", "quantity", "nothing_to_do")
        shown = [
            {"contract_id": contract_id} | {name: row.get(name) for name in names} | {"held_now": now}
            for contract_id, row, now in zip(job_by_contract, rows, left, strict=True)
        ]
        print_json({"is_dry_run": dry_run, "closed": shown})
        return
    for contract_id, result, now in zip(job_by_contract, rows, left, strict=True):
        if "nothing_to_do" in result:
            click.echo(
                f"Nothing was closed of {shorten_contract(contract_id)}: {shorten_contracts(result['nothing_to_do'])}."
            )
        elif dry_run:
            exit_ = f"{result['side']} {result['quantity']} {shorten_contract(contract_id)}"
            click.echo(f"Dry run: nothing was sent. It would {exit_}.")
        else:
            click.echo(
                f"Closed {result['quantity']} of {shorten_contract(contract_id)} ({result['side']}); still held: {now}."
            )


@command.command("breakeven")
@click.argument("symbol")
@account_option
@_dry_run_option
@wait_option
@json_option
def move_to_breakeven(symbol: str, account_word: str | None, wait_s: float, *, dry_run: bool, as_json: bool) -> None:
    """Move the stop to the average price. Example: `positions breakeven MNQ`."""
    with open_client() as client:
        with client.connect() as connection:
            row, contract, stops = _find_protected_position(connection, symbol, account_word)
            quotes = read_fresh_quotes(client.settings, [contract.id])
            exit_price = exit_price_from(quotes)(contract.id, row.quantity)
            position = read_stopped_position(connection, row, exit_price)
        move = plan_breakeven(position)
        price = position.format_price(move.price)
        if move.better:
            better = move.better[0]
            raise RefusedError(
                f"the stop at {position.format_price(better.price)} protects more than breakeven at {price}: to move "
                f"it back, run `tickwork orders modify {better.id} --stop {price}`"
            )
        if move.moved:
            require_to_rest(position, move.price)
        moved = {stop.id for stop in move.moved}
        changes = [
            OrderChangeRequest(stop, ChangeKind.MODIFY, stop_price=move.price) for stop in stops if stop.id in moved
        ]
        if changes or as_json or dry_run:
            apply_changes(client, changes, "modified", wait_s, dry_run=dry_run, as_json=as_json)
        if not as_json and not dry_run:
            click.echo(f"The stop of {shorten_contract(contract.id)} is at breakeven: {price}.")


@command.command("trail")
@click.argument("symbol")
@click.argument("ticks", metavar="TICKS|none")
@account_option
@json_option
def trail(symbol: str, ticks: str, account_word: str | None, *, as_json: bool) -> None:
    """Trail the stop behind the best price. Example: `positions trail MNQ 40`; `none` ends the trailing."""
    distance = parse_ticks_or_none(ticks)
    with begin() as connection:
        position, _, _ = _find_protected_position(connection, symbol, account_word)
        account = accounts.get(connection, position.account_id)
        change = set_trail(connection, position, distance, by="by hand")
        if change.is_new:
            record_act(
                connection,
                current_actor(),
                "trail",
                position.account_id,
                before={"trail_ticks": change.entry.trail_ticks},
                after={"contract": position.contract_id, "trail_ticks": distance},
                reason=None,
            )
    if as_json:
        print_json({"order_id": change.entry.id, "account_id": position.account_id, "trail_ticks": distance})
    else:
        detail = "" if distance is None else ", never back, checked once a second while `up` runs"
        click.echo(
            f"{account.name if account else position.account_id}, {shorten_contracts(change.text)} from now on{detail}."
        )


def _find_protected_position(
    connection: Connection, symbol: str, account_word: str | None
) -> tuple[PositionRow, Contract, list[OrderRow]]:
    """Return a position with its contract and working stops; raise RefusedError without a position or a stop."""
    account = resolve_account(connection, account_word)
    contract = resolve_contract(connection, [account.id], symbol)
    held = [row for row in positions.list_of_account(connection, account.id) if row.contract_id == contract.id]
    if not held or held[0].average_price is None:
        raise RefusedError(
            f"{account.name} has no position in {contract.id}: `tickwork positions` lists the open positions"
        )
    stops = list_working(connection, held[0])
    if not stops and list_external(connection, held[0]):
        raise RefusedError(f"the stop of {contract.id} was placed elsewhere: move it there")
    if not stops:
        raise RefusedError(f"no stop is working for the position in {contract.id}: the guard places one within seconds")
    return held[0], contract, stops
