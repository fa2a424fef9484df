"""`tickwork hooks`: the webhooks that take alerts, each with its own URL, its accounts and its settings."""

import secrets
from collections.abc import Sequence
from typing import Unpack

import click

from cli.client.first_accounts import wait_for_accounts
from cli.client.hook_followers import describe_followers, follower_option, match_followers
from cli.client.hook_messages import describe_dialect, guidance, templates, warn_of_size
from cli.client.hook_options import HookOptions, HookOptionValues, hook_options
from cli.client.hook_store import (
    TOKEN_BYTES,
    load_sender_settings,
    record_hook_act,
    report_warning,
    require_active_hook,
    require_sender_url,
    require_visible_senders,
)
from cli.client.lookup import match_account
from cli.client.stack import begin, connect, load_stack_settings
from cli.commands import hook_changes, hook_secrets
from cli.console.groups import CommandGroup
from cli.console.list_options import list_options
from cli.console.output import print_json
from cli.console.params import json_option
from cli.console.table import Table
from shared.db.alerts import hooks
from shared.db.alerts.hooks import hash_token
from shared.db.alerts.probe_hook import PROBE_HOOK_NAME
from shared.db.market_data import contracts
from shared.domain.alerts.copy_ratio import SAME
from shared.domain.alerts.hook_settings import HookSettings, encode_settings
from shared.domain.market_data.tracking import sort_roots
from shared.ids import new_id

HOOKS = Table(
    "Hooks",
    ("name", "state", "account_id", "followers", "dialect", "last_alert"),
    spare=("dialect", "followers"),
    is_list=True,
)
_EXAMPLE_ROOT = "MNQ"


@click.group(name="hooks", cls=CommandGroup)
def command() -> None:
    """Add, list, change and remove webhooks for alerts."""


@command.command("add")
@click.argument("name")
@click.option(
    "--account",
    "account_words",
    multiple=True,
    metavar="ACCOUNT",
    help="Account to trade, by id or name; default: the only tradable one. Repeat it for follower accounts.",
)
@follower_option
@hook_options
@click.option("--json", "as_json", is_flag=True, help='{"url": ...} on stdout, for scripts.')
def add(
    name: str,
    account_words: tuple[str, ...],
    follower_words: tuple[str, ...],
    *,
    as_json: bool,
    **options: Unpack[HookOptionValues],
) -> None:
    """Add a webhook and print its URL. The URL is shown only once: only its hash is stored."""
    if not name.strip() or not name.isprintable() or name == PROBE_HOOK_NAME:
        raise click.ClickException(
            f"invalid hook name {name!r}: expected printable text, such as tradingview, and not {PROBE_HOOK_NAME}"
        )
    hook_settings = HookOptions(**options).apply(HookSettings())
    settings, warning = load_sender_settings()
    require_visible_senders(settings, hook_settings.senders)
    token = secrets.token_urlsafe(TOKEN_BYTES)
    url = f"{require_sender_url(settings)}/hooks/tv/{token}"
    known, hook_id = wait_for_accounts(), new_id()
    trading, *others = {
        one.id: one for one in (match_account(known, word) for word in account_words or [None])
    }.values()
    followers = {one.id: SAME for one in others} | match_followers(known, follower_words, trading.id)
    with begin() as connection:
        connection.execute(hooks.build_name_release(name))
        statement = hooks.build_insert(hook_id, name, hash_token(token), trading.id, hook_settings)
        if connection.execute(statement).one_or_none() is None:
            raise click.ClickException(
                f"a hook is named {name!r} already: choose another name, or remove that hook first"
            )
        hooks.set_followers(connection, hook_id, followers)
        told = {"accounts": [trading.id, *followers], "settings": encode_settings(hook_settings)}
        record_hook_act(connection, "hook_add", name, trading.id, after=told)
        tracked = sort_roots(contracts.list_tracked_roots(connection), load_stack_settings().contracts)
    shown = {"url": url} | report_warning(
        "; ".join(filter(None, (warning, warn_of_size(hook_settings)))) or None, as_json=as_json
    )
    if as_json:
        print_json(shown)
    else:
        names = {one.id: one.name for one in known}
        shown_accounts = ", then ".join(f"account {one} ({names[one]})" for one in (trading.id, *followers))
        click.echo(f"Hook {name} trades {shown_accounts}. Its URL, shown only once:\n\n  {url}\n")
        click.echo("\n".join(guidance(url, _example_root(hook_settings, tracked), hook_settings)))


@command.command("list")
@json_option
@list_options
def list_hooks(*, as_json: bool) -> None:
    """List the webhooks, also removed ones, and when each was reached."""
    with connect() as connection:
        found = [hooks.hook_of(row) for row in connection.execute(hooks.select_all())]
        followers = hooks.list_followers(connection)
        received = hooks.find_last_receipts(connection)
    columns = ("name", "account_id", "created_at", "paused_at", "removed_at")
    rows = [
        {column: getattr(hook, column) for column in columns}
        | {
            "dialect": hook.settings.dialect,
            "last_received_at": received.get(hook.id),
            "follower_account_ids": list(followers.get(hook.id, {})),
            "copy_ratios": followers.get(hook.id, {}),
        }
        for hook in found
    ]
    if as_json:
        print_json({"hooks": rows})
        return
    shown = [
        row
        | {
            "followers": describe_followers(row["copy_ratios"]),
            "last_alert": row["last_received_at"] or "never",
            "state": "removed" if row["removed_at"] else "paused" if row["paused_at"] else "active",
        }
        for row in rows
    ]
    HOOKS.print(shown, empty="No hooks yet: add one with `tickwork hooks add NAME`.")


@command.command("template")
@click.argument("name", required=False)
@click.option(
    "--root", metavar="ROOT", help="The root to trade; default: the first tracked one of the setting contracts."
)
@json_option
def template(name: str | None, root: str | None, *, as_json: bool) -> None:
    """Print the messages to paste into TradingView's alerts: of strategies and of indicators."""
    with connect() as connection:
        settings = HookSettings() if name is None else require_active_hook(connection, name).settings
        tracked = sort_roots(contracts.list_tracked_roots(connection), load_stack_settings().contracts)
    if root is not None and tracked and settings.traded_root(root.upper()) not in tracked:
        taken = ", ".join(sorted(settings.symbols or tracked)) or "none yet"
        raise click.ClickException(f"invalid --root {root!r}: no alert on it would trade; expected one of {taken}")
    symbol, dialect = root or _example_root(settings, tracked), settings.dialect
    found = list(templates(symbol)) if dialect == "tickwork" else []
    if as_json:
        print_json({"dialect": dialect, "templates": found})
    elif found:
        click.echo("\n".join(f"{one.purpose}:\n\n  {one.message}\n" for one in found))
    else:
        click.echo(describe_dialect(dialect))


def _example_root(settings: HookSettings, tracked: Sequence[str]) -> str:
    """Return the root of the messages that are shown: one that the hook takes, and can trade if there is one."""
    taken = sorted(settings.symbols) or tracked or [_EXAMPLE_ROOT]
    return next((root for root in taken if settings.traded_root(root) in tracked), taken[0])


for changing in (
    hook_changes.show,
    hook_changes.change,
    hook_changes.unfollow,
    hook_changes.rotate,
    hook_changes.pause,
    hook_changes.resume,
    hook_changes.remove,
    hook_secrets.command,
):
    command.add_command(changing)
