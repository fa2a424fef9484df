"""`tickwork hooks show|set|unfollow|rotate|pause|resume|remove`: what one webhook does, and how that is changed."""

import secrets
from datetime import timedelta
from shlex import quote
from typing import Unpack

import click
from sqlalchemy import Connection

from cli.client.change_check import confirm
from cli.client.hook_followers import (
    describe_followers,
    describe_holdings,
    follower_option,
    match_followers,
    warn_of_holdings,
)
from cli.client.hook_messages import warn_of_size
from cli.client.hook_options import HookOptions, HookOptionValues, describe_settings, hook_options
from cli.client.hook_store import (
    TOKEN_BYTES,
    load_sender_settings,
    record_hook_act,
    report_warning,
    require_active_hook,
    require_changeable_hook,
    require_sender_url,
    require_visible_senders,
)
from cli.client.lookup import match_account
from cli.client.stack import begin, connect
from cli.console.output import print_fields, print_json
from cli.console.params import json_option, yes_option
from shared.clock import machine_now
from shared.db.accounts import accounts
from shared.db.alerts import hook_secrets, hooks
from shared.db.alerts.hooks import Hook, hash_token
from shared.domain.alerts.hook_settings import encode_settings


@click.command("show")
@click.argument("name")
@json_option
def show(name: str, *, as_json: bool) -> None:
    """Show a webhook: its accounts, its settings, and when it was reached."""
    with connect() as connection:
        hook = require_active_hook(connection, name)
        followers = hooks.list_followers(connection).get(hook.id, {})
        received_at = hooks.find_last_receipts(connection).get(hook.id)
    if as_json:
        print_json(
            {
                "name": hook.name,
                "account_id": hook.account_id,
                "follower_account_ids": list(followers),
                "copy_ratios": followers,
                "created_at": hook.created_at,
                "paused_at": hook.paused_at,
                "previous_token_until": hook.previous_token_until,
                "last_received_at": received_at,
                "settings": encode_settings(hook.settings),
            }
        )
        return
    last = "never: no alert has come yet" if received_at is None else f"{received_at:%Y-%m-%d %H:%M:%S} UTC"
    since = None if hook.paused_at is None else f"{hook.paused_at:%Y-%m-%d %H:%M} UTC"
    print_fields(
        {
            "name": hook.name,
            "account": str(hook.account_id),
            "followers": describe_followers(followers) or "none",
            "last alert": last,
            "paused": "no" if since is None else f"since {since}: it enters nothing, and its exits still close",
            **describe_settings(hook.settings),
        }
    )


@click.command("set")
@click.argument("name")
@follower_option
@hook_options
@json_option
def change(name: str, follower_words: tuple[str, ...], *, as_json: bool, **options: Unpack[HookOptionValues]) -> None:
    """Change the settings of a webhook; alerts that are not handled yet follow the new ones."""
    given = HookOptions(**options)
    if given.is_empty and not follower_words:
        raise click.ClickException("nothing to change: `tickwork hooks set --help` lists the settings")
    with begin() as connection:
        hook = require_changeable_hook(connection, name)
        settings = given.apply(hook.settings)
        if given.senders:
            require_visible_senders(load_sender_settings()[0], settings.senders)
        connection.execute(hooks.build_settings_change(hook.id, settings))  # receivers read the followers again too
        ratios = match_followers(accounts.list_all(connection), follower_words, hook.account_id)
        followed = hooks.list_followers(connection).get(hook.id, {})
        hooks.set_followers(connection, hook.id, ratios)
        followers = hooks.list_followers(connection).get(hook.id, {})
        before, after = (
            {"settings": encode_settings(one), "copy_ratios": {str(id_): str(ratio) for id_, ratio in copies.items()}}
            for one, copies in ((hook.settings, followed), (settings, followers))
        )
        record_hook_act(connection, "hook_set", name, hook.account_id, before=before, after=after)
        changed = [account_id for account_id, ratio in ratios.items() if followed.get(account_id) != ratio]
        warnings = [warn_of_size(settings), *(warn_of_holdings(connection, one) for one in changed)]
    warning = report_warning("; ".join(filter(None, warnings)) or None, as_json=as_json)
    if as_json:
        print_json({"name": name, "copy_ratios": followers, "settings": encode_settings(settings)} | warning)
    else:
        print_fields(
            {"name": name, "followers": describe_followers(followers) or "none", **describe_settings(settings)}
        )


@click.command("unfollow")
@click.argument("name")
@click.argument("account_word", metavar="ACCOUNT")
@json_option
def unfollow(name: str, account_word: str, *, as_json: bool) -> None:
    """Let a follower account trade no later alert of a webhook, its exits neither; what the account holds stays."""
    with begin() as connection:
        hook = require_changeable_hook(connection, name)
        account = match_account(accounts.list_all(connection), account_word)
        followed = hooks.list_followers(connection).get(hook.id, {})
        if connection.execute(hooks.build_unfollow(hook.id, account.id)).one_or_none() is None:
            raise click.ClickException(
                f"account {account.id} does not follow hook {name}: expected one of "
                f"{describe_followers(followed) or 'its followers, and it has none'}"
            )
        connection.execute(hooks.build_settings_change(hook.id, hook.settings))  # receivers read the followers again
        followers = hooks.list_followers(connection).get(hook.id, {})
        before, after = (
            {"copy_ratios": {str(id_): str(ratio) for id_, ratio in copies.items()}} for copies in (followed, followers)
        )
        record_hook_act(connection, "hook_unfollow", name, account.id, before=before, after=after)
        held = describe_holdings(connection, account.id)
    if as_json:
        print_json({"name": name, "copy_ratios": followers})
        return
    others = describe_followers(followers) or "none"
    click.echo(f"Account {account.id} follows hook {name} no longer; other followers: {others}.")
    if held is not None:
        click.echo(f"It holds {held}, which no alert of the hook closes from now on.")


@click.command("rotate")
@click.argument("name")
@click.option(
    "--keep",
    "keep_s",
    type=click.IntRange(0, 30 * 86_400),
    default=86_400,
    show_default=True,
    metavar="SECONDS",
    help="How long the old URL still works.",
)
@json_option
def rotate(name: str, keep_s: int, *, as_json: bool) -> None:
    """Give a webhook a new URL; the old one works for a while, so that no alert is lost meanwhile."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    settings, warning = load_sender_settings()
    url = f"{require_sender_url(settings)}/hooks/tv/{token}"
    with begin() as connection:
        hook = require_changeable_hook(connection, name)
        statement = hooks.build_rotation(hook.id, hash_token(token), timedelta(seconds=keep_s))
        until = connection.execute(statement).scalar_one()
        told = {"previous_token_until": until}
        record_hook_act(connection, "hook_rotate", name, hook.account_id, after=told)
    shown = {"url": url, "previous_token_until": until} | report_warning(warning, as_json=as_json)
    if as_json:
        print_json(shown)
    else:
        click.echo(f"The new URL of hook {name}, shown only once:\n\n  {url}\n")
        click.echo(f"The old one works until {until:%Y-%m-%d %H:%M:%S} UTC.")
        before = hook.previous_token_until
        if before is not None and before > machine_now():
            click.echo(f"The one before it, which was to work until {before:%Y-%m-%d %H:%M:%S} UTC, has ended.")


@click.command("pause")
@click.argument("name")
@json_option
def pause(name: str, *, as_json: bool) -> None:
    """Let a webhook enter nothing; its exits still close."""
    _set_paused(name, is_paused=True, as_json=as_json)


@click.command("resume")
@click.argument("name")
@json_option
def resume(name: str, *, as_json: bool) -> None:
    """Let a paused webhook enter again."""
    _set_paused(name, is_paused=False, as_json=as_json)


@click.command("remove")
@click.argument("name")
@yes_option
@json_option
def remove(name: str, *, yes: bool, as_json: bool) -> None:
    """Remove a webhook for good, with its secrets. Its URL then answers 404; its name may be used again.

    It asks for confirmation: no alert of the hook closes anything any more.
    """
    if not yes:
        with connect() as connection:
            question = _describe_removal(connection, require_changeable_hook(connection, name))
        confirm(question, "remove it", as_json=as_json)
    with begin() as connection:
        hook = require_changeable_hook(connection, name)
        connection.execute(hooks.build_removal(name))
        hook_secrets.delete_of_hook(connection, hook.id)
        record_hook_act(connection, "hook_remove", name, hook.account_id)
    if as_json:
        print_json({"removed": name})
    else:
        click.echo(f"Hook {name} is removed. Its name may be used again.")


def _describe_removal(connection: Connection, hook: Hook) -> str:
    held = describe_holdings(connection, hook.account_id, *hooks.list_followers(connection).get(hook.id, {}))
    holds = "" if held is None else f" What its accounts hold, {held}, is closed by none of them."
    return (
        f"Every later alert to the URL of hook {hook.name} is answered with 404, also one that closes, and nothing "
        f"brings the URL back; `tickwork hooks pause {quote(hook.name)}` stops its entries alone.{holds} Remove it?"
    )


def _set_paused(name: str, *, is_paused: bool, as_json: bool) -> None:
    with begin() as connection:
        hook = require_changeable_hook(connection, name)
        paused_at = connection.execute(hooks.build_pause(hook.id, is_paused=is_paused)).scalar_one()
        record_hook_act(connection, "hook_pause" if is_paused else "hook_resume", name, hook.account_id)
    if as_json:
        print_json({"name": name, "paused_at": paused_at})
    else:
        click.echo(f"Hook {name} enters nothing; its exits still close." if is_paused else f"Hook {name} enters again.")
