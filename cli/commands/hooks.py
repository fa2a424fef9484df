"""`tickwork hooks`: who may post alerts, each under a URL of its own that trades one account."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from urllib.parse import urlsplit

import click
from sqlalchemy import Engine

from cli.client.lookup import account
from cli.client.stack import settings_of_stack
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
    """Make, list and remove the URLs that alerts are posted to."""


@command.command("add")
@click.argument("name")
@click.option(
    "--account",
    "account_words",
    multiple=True,
    metavar="ACCOUNT",
    help="Its id or name; may be left out if exactly one may trade, and given again for accounts that copy the first.",
)
@click.option("--json", "as_json", is_flag=True, help='{"url": ...} on stdout, for scripts.')
def add(name: str, account_words: tuple[str, ...], *, as_json: bool) -> None:
    """Make a webhook NAME and print its URL; it is shown this once, for only its hash is kept."""
    if not name.strip() or not name.isprintable():
        raise click.ClickException(f"{name!r} is no name for a hook: give it a word, such as tradingview")
    settings = settings_of_stack()
    if not settings.receiver_url:
        raise click.ClickException("the receiver's URL is unknown: start the stack, or set TICKWORK_RECEIVER_URL")
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    url = f"{settings.receiver_url.rstrip('/')}/hooks/tv/{token}"
    with _engine(settings) as engine:
        known, hook_id = _known_accounts(engine), new_id()
        trading, *copying = list(
            {one.id: one for one in (account(known, word) for word in account_words or [None])}.values()
        )
        with engine.begin() as connection:
            statement = hooks.add(hook_id, name, hooks.token_hash(token), trading.id)
            if connection.execute(statement).one_or_none() is None:
                raise click.ClickException(f"a hook was called {name!r} before: choose another name")
            hooks.copy_to(connection, hook_id, [one.id for one in copying])
            tracked = contracts.tracked_roots(connection)
    if as_json:
        print_json({"url": url})
    else:
        traded = ", then ".join(f"account {one.id} ({one.name})" for one in (trading, *copying))
        click.echo(f"Hook {name} trades {traded}. Its URL, shown only now:\n\n  {url}\n")
        click.echo("\n".join(guidance(url, min(tracked, default=_EXAMPLE_ROOT))))


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout, for scripts.")
def list_hooks(*, as_json: bool) -> None:
    """List the webhooks, also those that were removed."""
    with _engine(settings_of_stack()) as engine, engine.connect() as connection:
        found = [hooks.hook_of(row) for row in connection.execute(hooks.all_by_name())]
        further = hooks.further_accounts(connection)
    columns = ("name", "account_id", "created_at", "revoked_at")
    rows = [
        {column: getattr(hook, column) for column in columns} | {"copy_account_ids": further.get(hook.id, [])}
        for hook in found
    ]
    if as_json:
        print_json({"hooks": rows})
    else:
        shown = [row | {"copied_to": ", ".join(map(str, row["copy_account_ids"])) or None} for row in rows]
        print_table("Hooks", shown, (*columns, "copied_to"), empty="No hooks yet: `tickwork hooks add NAME` makes one.")


@command.command("remove")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout, for scripts.")
def remove(name: str, *, as_json: bool) -> None:
    """End webhook NAME for good: its URL answers like one that never was."""
    with _engine(settings_of_stack()) as engine, engine.begin() as connection:
        if connection.execute(hooks.revoke(name)).one_or_none() is None:
            raise click.ClickException(f"no hook called {name!r} is in use: `tickwork hooks list` shows them")
    if as_json:
        print_json({"removed": name})
    else:
        click.echo(f"Hook {name} is removed.")


def guidance(url: str, root: str) -> Iterator[str]:
    """Yield what a person needs to post a first alert: by hand, and from TradingView."""
    by_hand = {"action": "buy", "symbol": root, "quantity": 1, "stop_loss_ticks": 40, "id": "try-1"}
    yield f"Try it:\n\n  curl -sS '{url}' -d '{json.dumps(by_hand)}'\n"
    yield f"TradingView, message of a strategy's alert:\n\n  {tradingview_message(root)}\n"
    yield f'and of an alert that gets out of everything in {root}:\n\n  {{"action": "close", "symbol": "{root}"}}\n'
    if urlsplit(url).scheme != "https" or urlsplit(url).port not in _TRADINGVIEW_PORTS:
        yield "TradingView itself reaches public addresses only, on port 80 or 443: put a proxy with https in front and"
        yield "set TICKWORK_RECEIVER_URL to its address."


def tradingview_message(root: str) -> str:
    """Return an alert for TradingView to fill in; its id makes a resend the same alert, a later order another."""
    message = {
        "action": "{{strategy.order.action}}",
        "symbol": root,
        "quantity": "{{strategy.order.contracts}}",
        "stop_loss_ticks": 40,
        "id": "{{strategy.order.id}} {{strategy.order.action}} {{strategy.order.contracts}} {{timenow}}",
        "timenow": "{{timenow}}",
    }
    return json.dumps(message)


def _known_accounts(engine: Engine) -> list[AccountRow]:
    """Return the accounts, waiting a little for the venue's first answer."""
    pause, gives_up_at = Event(), monotonic() + _FIRST_SNAPSHOT_S
    while True:
        with engine.connect() as connection:
            known = accounts.list_all(connection)
        if known or monotonic() >= gives_up_at:
            return known
        pause.wait(0.3)


@contextmanager
def _engine(settings: Settings) -> Iterator[Engine]:
    engine = make_engine(settings.need_database(), program="cli", pool_size=1)
    try:
        yield engine
    finally:
        engine.dispose()
