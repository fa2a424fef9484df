"""`tickwork telegram`: the bot that takes commands from Telegram, and the people who may send it some."""

import re
import secrets
import sys
from datetime import timedelta

import click
import pyotp
import segno

from cli.client.change_check import current_actor
from cli.client.stack import begin, connect, load_stack_settings, read_running_state
from cli.console.groups import CommandGroup
from cli.console.list_options import list_options
from cli.console.output import print_json
from cli.console.params import json_option
from cli.console.table import Table
from cli.local.home.settings_writer import find_settings_file, store_settings
from shared.clock import machine_now
from shared.config import environment
from shared.db.accounts.audit import record_act
from shared.db.telegram import users
from shared.errors import RefusedError, SettingsError
from shared.setting_keys import BY_KEY

USERS = Table(
    "Telegram users",
    ("name", "telegram_id", "paired_at", "pairing_expires_at", "locked_until_at", "failed_count"),
    spare=("failed_count", "telegram_id"),
    is_list=True,
)
_SETTING = BY_KEY["telegram_token"]
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_CODE_LETTERS, _CODE_LENGTH = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789", 12  # none that looks like another
_CODE_FOR = timedelta(minutes=10)


@click.group(name="telegram", cls=CommandGroup)
def command() -> None:
    """Set up the bot that takes status, halt and flatten from Telegram, and its users."""


@command.command("setup")
@click.option("--no-keyring", is_flag=True, help="Keep the token in the file, which only you can read.")
def setup(*, no_keyring: bool) -> None:
    """Store the bot's token, which is asked for, or read from standard input.

    @BotFather gives it for a new bot. It is kept with your other credentials, in the system's keyring, or in the file
    that only you can read.
    """
    if _SETTING.variable in environment():
        raise SettingsError(
            f"{_SETTING.variable} is set in this shell and wins over the file: unset it there, then run this again"
        )
    token = _ask_token()
    if not token:
        raise SettingsError("no token was given: expected the one that @BotFather shows, digits:letters")
    store_settings(find_settings_file(), {_SETTING: token}, may_use_keyring=not no_keyring)
    click.echo("The bot is set. `tickwork telegram add-user NAME` adds who may send commands.")
    if read_running_state() is not None:
        click.echo("The running stack does not know it yet: `tickwork down`, then `tickwork up`.")


@command.command("add-user")
@click.argument("name")
def add_user(name: str) -> None:
    """Add a user: print the secret for an authenticator app, and a code that pairs a Telegram account, once each.

    For a name that was never paired both are made anew.
    """
    if not _NAME.fullmatch(name):
        raise RefusedError(f"invalid name {name!r}: expected up to 32 of a-z, 0-9, - and _, such as anna")
    secret = pyotp.random_base32()
    code = "".join(secrets.choice(_CODE_LETTERS) for _ in range(_CODE_LENGTH))
    expires_at = machine_now() + _CODE_FOR
    with begin() as connection:
        if not users.add(connection, name, secret, users.hash_pairing_code(code), expires_at):
            raise RefusedError(
                f"a Telegram account is paired with {name}: `tickwork telegram remove-user {name}` first"
            )
        record_act(connection, current_actor(), "telegram_add", None, before={}, after={"name": name}, reason=None)
    uri = pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name="Tickwork")
    click.echo(
        "1. Add this to an authenticator app. It is shown only once; what was shown before for this name is void:\n\n"
        f"  {uri}\n"
    )
    if sys.stdout.isatty():
        segno.make(uri, micro=False).terminal(compact=True)
    minutes = int(_CODE_FOR.total_seconds() // 60)
    click.echo(
        f"2. Send this to the bot, in a private chat, within {minutes} minutes. Who does so first is {name}:\n\n"
        f"  /start {code}\n"
    )
    if not load_stack_settings().telegram_token:
        click.echo("No bot takes it yet: `tickwork telegram setup` sets one, then `tickwork down` and `tickwork up`.")


@command.command("users")
@json_option
@list_options
def show_users(*, as_json: bool) -> None:
    """List who may send commands to the bot."""
    with connect() as connection:
        found = users.list_all(connection)
    rows = [{column: getattr(one, column) for column in USERS.columns} for one in found]
    if as_json:
        print_json({"users": rows})
        return
    shown = [row | {"telegram_id": str(row["telegram_id"] or "not paired")} for row in rows]
    USERS.print(shown, empty="No user: `tickwork telegram add-user NAME` adds one.")


@command.command("remove-user")
@click.argument("name")
def remove_user(name: str) -> None:
    """Remove a user. Messages of the account are ignored from then on."""
    with begin() as connection:
        if users.remove(connection, name) is None:
            raise RefusedError(f"no user is called {name!r}: `tickwork telegram users` lists them")
        record_act(connection, current_actor(), "telegram_remove", None, before={"name": name}, after={}, reason=None)
    click.echo(f"User {name} is removed.")


def _ask_token() -> str:
    if sys.stdin.isatty():
        answer: str = click.prompt("Token of the bot, as @BotFather gave it", hide_input=True, err=True)
        return answer.strip()
    return sys.stdin.read().strip()
