"""`tickwork orders market`, `limit`, `stop`, `trail` and `bracket`: manual entries, checked like any other."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypedDict, Unpack
from uuid import UUID

import click

from cli.client.change_check import confirm
from cli.client.entry_seat_belts import EntryTrial, list_doubts
from cli.client.entry_withdrawal import EntryFate, withdraw_entry
from cli.client.fill_wait import wait_for_fills
from cli.client.job_client import JobClient, JobOutcomes, open_client, wait_option
from cli.client.lookup import require_tick_multiple, resolve_account, resolve_active_contract, short_id
from cli.client.order_text import describe_order, list_terms
from cli.console.output import print_json
from cli.console.params import PriceType, SideType, account_option, json_option, yes_option
from cli.console.table import Table
from shared.clock import monotonic
from shared.db import views
from shared.domain.market_data.contract_text import shorten_contracts
from shared.domain.orders.order import MAX_TICKS, NOT_CONFIRMED, PRICE_FIELDS, OrderState, OrderType, Side
from shared.domain.risk.preconditions import EntryTerms
from shared.errors import RefusedError
from shared.ledger.jobs.orders import EnterManually


class _EntryOptions(TypedDict):
    """The arguments and options of every entry, as click gives them; a price is in dollars."""

    symbol: str
    side: Side
    quantity: int | None
    account_word: str | None
    stop_ticks: int | None
    stop_loss: Decimal | None
    target_ticks: int | None
    take_profit: Decimal | None
    breakeven: int | None
    trail: int | None
    risk: Decimal | None
    dry_run: bool
    wait_s: float
    yes: bool
    as_json: bool


ORDER = Table("Order to send", ("field", "value"))
_FAILED = {OrderState.REJECTED, OrderState.DENIED, OrderState.EXPIRED, OrderState.CANCELLED}
_NOT_AT_VENUE = {OrderState.CREATED, *NOT_CONFIRMED}
_TICKS = click.IntRange(1, MAX_TICKS)
_OPTIONS = [
    click.argument("symbol"),
    click.argument("side", type=SideType(), metavar="SIDE"),
    click.argument("quantity", type=click.IntRange(min=1), required=False),
    account_option,
    click.option("--stop", "stop_ticks", type=_TICKS, metavar="TICKS", help="Stop loss, ticks from the entry."),
    click.option("--stop-price", "stop_loss", type=PriceType(), metavar="PRICE", help="Stop loss at this price."),
    click.option("--target", "target_ticks", type=_TICKS, metavar="TICKS", help="Take profit, ticks from the entry."),
    click.option("--target-price", "take_profit", type=PriceType(), metavar="PRICE", help="Take profit at this price."),
    click.option(
        "--breakeven", type=_TICKS, metavar="TICKS", help="Profit at which the stop moves to the entry price."
    ),
    click.option("--trail", type=_TICKS, metavar="TICKS", help="Distance of a trailing stop from the best price."),
    click.option(
        "--risk",
        type=PriceType(),
        metavar="DOLLARS",
        help="Loss at the stop that sets the quantity, instead of QUANTITY.",
    ),
    click.option("--dry-run", is_flag=True, help="Show the order and the pre-trade checks; send nothing."),
    wait_option,
    yes_option,
    json_option,
]


def _add_entry_options(function: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@click.command("market")
@_add_entry_options
def market_order(**given: Unpack[_EntryOptions]) -> None:
    """Enter at the market. Example: `orders market MNQ buy 1 --stop 40`."""
    _submit_entry(OrderType.MARKET, None, **given)


@click.command("limit")
@click.option("--price", type=PriceType(), required=True, help="Limit price.")
@_add_entry_options
def limit_order(price: Decimal, **given: Unpack[_EntryOptions]) -> None:
    """Enter at a price or better. Example: `orders limit MNQ buy 1 --price 21500.25 --stop 40`."""
    _submit_entry(OrderType.LIMIT, price, **given)


@click.command("stop")
@click.option("--price", type=PriceType(), required=True, help="Stop price: beyond it the order trades at the market.")
@_add_entry_options
def stop_order(price: Decimal, **given: Unpack[_EntryOptions]) -> None:
    """Enter at a stop price. Example: `orders stop MNQ sell 1 --price 21400 --stop 40`."""
    _submit_entry(OrderType.STOP, price, **given)


@click.command("trail")
@click.option(
    "--price", type=PriceType(), required=True, help="Initial stop price; its distance from the market stays."
)
@_add_entry_options
def trailing_order(price: Decimal, **given: Unpack[_EntryOptions]) -> None:
    """Enter with a trailing stop order. Example: `orders trail MNQ buy 1 --price 21520 --stop 40`."""
    _submit_entry(OrderType.TRAILING_STOP, price, **given)


@click.command("bracket")
@click.option("--price", type=PriceType(), help="Limit price; default: enter at the market.")
@_add_entry_options
def bracket_order(price: Decimal | None, **given: Unpack[_EntryOptions]) -> None:
    """Enter with a stop and a target. Example: `orders bracket MNQ buy 1 --stop 40 --target 80`."""
    if given["stop_ticks"] is None and given["stop_loss"] is None:
        raise click.UsageError("a bracket needs a stop: add --stop TICKS or --stop-price PRICE")
    if given["target_ticks"] is None and given["take_profit"] is None:
        raise click.UsageError("a bracket needs a target: add --target TICKS or --target-price PRICE")
    _submit_entry(OrderType.MARKET if price is None else OrderType.LIMIT, price, **given)


COMMANDS = (market_order, limit_order, stop_order, trailing_order, bracket_order)


def _submit_entry(type_: OrderType, price: Decimal | None, **given: Unpack[_EntryOptions]) -> None:
    dry_run, wait_s, as_json = given["dry_run"], given["wait_s"], given["as_json"]
    _refuse_contradictions(given)
    with open_client() as client:
        doubts: list[str] = []
        with client.connect() as connection:
            account = resolve_account(connection, given["account_word"])
            contract = resolve_active_contract(connection, given["symbol"])
            require_tick_multiple("--price", price, contract)
            entry = _build_terms(type_, price, given)
            trial = EntryTrial(connection, client.settings, account, contract, entry, given["risk"])
            with suppress(RefusedError) if dry_run else nullcontext():  # a dry run says by itself that it would wait
                doubts = list_doubts(trial)
        if doubts and not dry_run and not given["yes"]:
            confirm(f"{'; '.join(doubts)}. Enter it?", "enter it", as_json=as_json)
        request = _build_request(account.id, contract.id, entry, given)
        began = monotonic()
        job_id, outcomes = _request_and_wait(client, request, wait_s, as_json=as_json)
        if outcomes.live and not dry_run:
            withdrawal = withdraw_entry(client, job_id, account.id)
            if withdrawal.fate in {EntryFate.WITHDRAWN, EntryFate.IN_DOUBT}:
                raise click.ClickException(f"the wait of {wait_s:g} s is over: {withdrawal.text}")
            outcomes = client.read([job_id])
        if dry_run or outcomes.get(job_id).state != "succeeded":
            outcomes.require_success()
        if dry_run:
            _print_preview(outcomes.result(job_id), doubts, as_json=as_json)
            return
        with suppress(KeyboardInterrupt):  # the order is sent
            wait_for_fills(client, [UUID(outcomes.result(job_id)["order_id"])], wait_s - (monotonic() - began))
        print_entry(client, outcomes, job_id, as_json=as_json)


def _request_and_wait(
    client: JobClient, request: EnterManually, wait_s: float, *, as_json: bool
) -> tuple[UUID, JobOutcomes]:
    """Request the entry and wait for it; on Ctrl-C withdraw it, say what became of it, and raise Abort."""
    # A dry run expires when its command stops waiting.
    lifetime = timedelta(seconds=wait_s) if request.is_dry_run else client.settings.entry_ttl
    job_id: UUID | None = None

    def leave() -> str:
        return "Nothing was sent." if job_id is None else withdraw_entry(client, job_id, request.account_id).text

    try:
        with client.transaction() as tx:
            job_id = tx.enqueue(request, expires_after=lifetime).job_id
        return job_id, client.wait([job_id], wait_s, quiet=as_json, leave=leave)
    except KeyboardInterrupt:  # before the wait
        click.echo(f"\n{leave()}", err=True)
        raise click.exceptions.Abort from None


def print_entry(client: JobClient, outcomes: JobOutcomes, job_id: UUID, *, as_json: bool) -> None:
    """Print the order that a job has made, and its legs; exit with status 1 if it failed, or may not be at the venue.

    What is left of the job once the venue has the order, such as a look for its fills, is no failure.
    """
    order_id = UUID(outcomes.result(job_id)["order_id"])
    shown = _read_order(client, order_id)
    order = shown["order"][0]
    if order["state"] in _FAILED:
        raise click.ClickException(f"the order is {order['state']}: {order['reason'] or 'no reason given'}")
    problem, notes = outcomes.describe_problem(), [outcomes.result(job_id).get("note")]
    if not outcomes.failed and order["state"] not in _NOT_AT_VENUE:
        problem = None
        notes += [f"{one} is not over yet: `tickwork positions` shows the stop" for one in outcomes.list_live()]
    note = "; ".join(filter(None, notes)) or None
    if as_json:
        print_json({"job_id": job_id, **shown, "order": order, "note": note, "error": problem})
    else:
        _print_order(order, shown["legs"])
        if note is not None:
            click.echo(shorten_contracts(note))
    if problem is not None:
        if not as_json:
            click.echo(f"tickwork: {shorten_contracts(problem)}", err=True)
        raise click.exceptions.Exit(1)


def _refuse_contradictions(given: _EntryOptions) -> None:
    if given["quantity"] is None and given["risk"] is None:
        raise click.UsageError("missing QUANTITY: expected contracts, or --risk DOLLARS", click.get_current_context())
    if None not in {given["quantity"], given["risk"]}:
        raise click.UsageError("give the size once: QUANTITY contracts or --risk DOLLARS, not both")
    for name, ticks, price in (
        ("--stop", given["stop_ticks"], given["stop_loss"]),
        ("--target", given["target_ticks"], given["take_profit"]),
    ):
        if ticks is not None and price is not None:
            raise click.UsageError(f"{name} {ticks} and {name}-price {price} set two levels: give one of them")


def _build_terms(type_: OrderType, price: Decimal | None, given: _EntryOptions) -> EntryTerms:
    return EntryTerms(
        side=given["side"],
        type=type_,
        quantity=given["quantity"] or 0,
        stop_loss_ticks=given["stop_ticks"],
        take_profit_ticks=given["target_ticks"],
        stop_loss=given["stop_loss"],
        take_profit=given["take_profit"],
        breakeven_ticks=given["breakeven"],
        trail_ticks=given["trail"],
        **({PRICE_FIELDS[type_]: price} if type_ in PRICE_FIELDS else {}),
    )


def _build_request(account_id: int, contract_id: str, entry: EntryTerms, given: _EntryOptions) -> EnterManually:
    prices = {name: _to_text(getattr(entry, name)) for name in (*PRICE_FIELDS.values(), "stop_loss", "take_profit")}
    return EnterManually(
        account_id=account_id,
        symbol=contract_id,
        side=entry.side,
        type=entry.type,
        quantity=given["quantity"],
        risk=_to_text(given["risk"]),
        stop_loss_ticks=entry.stop_loss_ticks,
        take_profit_ticks=entry.take_profit_ticks,
        breakeven_ticks=entry.breakeven_ticks,
        trail_ticks=entry.trail_ticks,
        is_dry_run=given["dry_run"],
        **prices,
    )


def _to_text(number: Decimal | None) -> str | None:
    return None if number is None else str(number)


def _read_order(client: JobClient, order_id: UUID) -> dict[str, Any]:
    with client.connect() as connection:
        return views.read_order(connection, order_id)


def _print_order(order: dict[str, Any], legs: list[dict[str, Any]]) -> None:
    click.echo(f"{describe_order(order)}, id …{short_id(order['id'])}")
    for leg in legs:
        click.echo(f"  {leg['role'].lower().replace('_', ' ')}: {describe_order(leg)}, id …{short_id(leg['id'])}")


def _print_preview(result: dict[str, Any], doubts: Sequence[str], *, as_json: bool) -> None:
    denied, postponed = result.get("denied"), result.get("postponed")
    if as_json:
        print_json(result)
    else:
        click.echo("Dry run: nothing was sent.")
        wanted = result.get("would_send") or {}
        rows = list_terms(wanted)
        if rows:
            ORDER.print(rows, empty="")
        if postponed:
            click.echo(f"It would not be sent now: {shorten_contracts(postponed)}")
        elif rows or not denied:
            click.echo(shorten_contracts(result.get("note") or "Every pre-trade check passes."))
            if doubts:
                click.echo(f"Without --yes it would ask first: {'; '.join(doubts)}.")
        else:
            first = f"It closes {result['closes_first']} first. " if result.get("closes_first") else ""
            click.echo(f"{first}The pre-trade checks would deny {'the rest' if first else 'it'}:")
            violations = [f"{rule['rule']}: {rule['message']}" for rule in result.get("rules") or []]
            click.echo(shorten_contracts("\n".join(f"  {line}" for line in violations or [str(denied)])))
    if denied or postponed:
        raise click.exceptions.Exit(1)
