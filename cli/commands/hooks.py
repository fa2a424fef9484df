"""`tickwork hooks`: the webhooks that take alerts, each with its own URL and its accounts."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from urllib.parse import urlsplit

import click
from sqlalchemy import Engine

from cli.client.lookup import match_account
from cli.client.stack import load_stack_settings
from cli.console.output import print_json, print_table
from shared.clock import monotonic
from shared.config import Settings
from shared.db.accounts import accounts
from shared.db.accounts.accounts import AccountRow
from shared.db.alerts import hooks
from shared.db.engine import make_engine
from shared.db.market_data import contracts
from shared.ids import new_id

_TOKEN_BYTES = 32
_FIRST_SNAPSHOT_S = 15.0
_EXAMPLE_ROOT = "MNQ"
_TRADINGVIEW_PORTS = {None, 80, 443}


@click.group(name="hooks")
def command() -> None:
    """Add, list and remove webhooks for alerts."""


@command.command("add")
@click.argument("name")
@click.option(
    "--account",
    "account_words",
    multiple=True,
    metavar="ACCOUNT",
    help="Account to trade, by id or name; default: the only tradable one. Repeat it for follower accounts.",
)
@click.option("--json", "as_json", is_flag=True, help='{"url": ...} on stdout, for scripts.')
def add(name: str, account_words: tuple[str, ...], *, as_json: bool) -> None:
    """Add a webhook and print its URL. The URL is shown only once: only its hash is stored."""
    if not name.strip() or not name.isprintable():
        raise click.ClickException(f"invalid hook name {name!r}: expected printable text, such as tradingview")
    settings = load_stack_settings()
    if not settings.sender_url:
        raise click.ClickException("the receiver's URL is unknown: start the stack, or set TICKWORK_PUBLIC_URL")
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    url = f"{settings.sender_url}/hooks/tv/{token}"
    with _open_engine(settings) as engine:
        known, hook_id = _wait_for_accounts(engine), new_id()
        trading, *followers = list(
            {one.id: one for one in (match_account(known, word) for word in account_words or [None])}.values()
        )
        with engine.begin() as connection:
            statement = hooks.add(hook_id, name, hooks.token_hash(token), trading.id)
            if connection.execute(statement).one_or_none() is None:
                raise click.ClickException(f"hook name {name!r} is already used: choose another name")
            hooks.add_followers(connection, hook_id, [one.id for one in followers])
            tracked = contracts.tracked_roots(connection)
    if as_json:
        print_json({"url": url})
    else:
        traded = ", then ".join(f"account {one.id} ({one.name})" for one in (trading, *followers))
        click.echo(f"Hook {name} trades {traded}. Its URL, shown only once:\n\n  {url}\n")
        click.echo("\n".join(guidance(url, min(tracked, default=_EXAMPLE_ROOT))))


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout, for scripts.")
def list_hooks(*, as_json: bool) -> None:
    """List the webhooks, also removed ones."""
    with _open_engine(load_stack_settings()) as engine, engine.connect() as connection:
        found = [hooks.hook_of(row) for row in connection.execute(hooks.all_by_name())]
        followers = hooks.list_followers(connection)
    columns = ("name", "account_id", "created_at", "revoked_at")
    rows = [
        {column: getattr(hook, column) for column in columns} | {"follower_account_ids": followers.get(hook.id, [])}
        for hook in found
    ]
    if as_json:
        print_json({"hooks": rows})
    else:
        shown = [row | {"followers": ", ".join(map(str, row["follower_account_ids"])) or None} for row in rows]
        print_table(
            "Hooks", shown, (*columns, "followers"), empty="No hooks yet: add one with `tickwork hooks add NAME`."
        )


@command.command("remove")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout, for scripts.")
def remove(name: str, *, as_json: bool) -> None:
    """Remove a webhook for good. Its URL then answers 404, like an unknown URL."""
    with _open_engine(load_stack_settings()) as engine, engine.begin() as connection:
        if connection.execute(hooks.revoke(name)).one_or_none() is None:
            raise click.ClickException(f"no active hook is named {name!r}: `tickwork hooks list` lists the hooks")
    if as_json:
        print_json({"removed": name})
    else:
        click.echo(f"Hook {name} is removed.")


def guidance(url: str, root: str) -> Iterator[str]:
    """Yield examples for a first alert: with curl, and from TradingView."""
    by_hand = {"action": "buy", "symbol": root, "quantity": 1, "stop_loss_ticks": 40, "id": "try-1"}
    yield f"Try it:\n\n  curl -sS '{url}' -d '{json.dumps(by_hand)}'\n"
    yield f"TradingView message of a strategy's alert:\n\n  {tradingview_message(root)}\n"
    close = {"action": "close", "symbol": root}
    yield f"TradingView message of an alert that closes everything in {root}:\n\n  {json.dumps(close)}\n"
    if urlsplit(url).scheme != "https" or urlsplit(url).port not in _TRADINGVIEW_PORTS:
        yield "TradingView reaches only public addresses, on port 80 or 443: put a proxy with https in front of the"
        yield "receiver as docs/howto/expose-the-receiver.md shows, and set TICKWORK_PUBLIC_URL to its address."


def tradingview_message(root: str) -> str:
    """Return an alert with TradingView's placeholders; a resend has the same id, a later order another."""
    message = {
        "action": "{{strategy.order.action}}",
        "symbol": root,
        "quantity": "{{strategy.order.contracts}}",
        "stop_loss_ticks": 40,
        "id": "{{ticker}} {{interval}} {{strategy.order.id}} {{strategy.order.action}} {{timenow}}",
        "timenow": "{{timenow}}",
    }
    return json.dumps(message)


def _wait_for_accounts(engine: Engine) -> list[AccountRow]:
    """Return the accounts; wait up to 15 s for the first snapshot of them."""
    pause, gives_up_at = Event(), monotonic() + _FIRST_SNAPSHOT_S
    while True:
        with engine.connect() as connection:
            known = accounts.list_all(connection)
        if known or monotonic() >= gives_up_at:
            return known
        pause.wait(0.3)


@contextmanager
def _open_engine(settings: Settings) -> Iterator[Engine]:
    engine = make_engine(settings.require_database(), program="cli", pool_size=1)
    try:
        yield engine
    finally:
        engine.dispose()
