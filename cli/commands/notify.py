"""`tickwork notify`: the channels by which Tickwork tells you what happens, such as Telegram, ntfy or e-mail."""

import sys
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import click

from cli.client.stack import connect, read_running_state
from cli.console.groups import CommandGroup
from cli.console.list_options import list_options
from cli.console.output import print_json
from cli.console.params import json_option
from cli.console.table import Table
from cli.local.home.settings_writer import find_settings_file, remove_settings, store_settings
from shared import notifier
from shared.config import environment, load_settings
from shared.db.notifications import outbox
from shared.domain.notifications.channel import DEFAULT_ZONE, Channel, check_channel, format_channels
from shared.domain.notifications.kinds import KINDS, MEANINGS, Kind, Level
from shared.errors import RefusedError, SettingsError
from shared.setting_keys import BY_KEY

CHANNELS = Table(
    "Channels",
    ("name", "service", "level", "kinds", "quiet", "zone", "waiting_count", "sent_at", "error"),
    spare=("zone", "sent_at", "kinds", "quiet"),
    is_list=True,
)
_ALL = "all"
_SETTING = BY_KEY["notify_channels"]
_EXAMPLES = "tgram://BOT_TOKEN/CHAT_ID, discord://WEBHOOK_ID/TOKEN, ntfy://TOPIC"


@click.group(name="notify", cls=CommandGroup)
def command() -> None:
    """Add, list, test and remove the channels that tell you what happens.

    A channel is a URL of Apprise, for Telegram, Discord, ntfy, e-mail and a hundred others:
    https://appriseit.com/services/.
    """


@command.command("add")
@click.argument("name")
@click.option(
    "--level",
    type=click.Choice([level.value for level in Level]),
    help="The least important that is sent: critical, warning or info; default: info.",
)
@click.option(
    "--kind",
    "kinds",
    type=click.Choice([_ALL, *(kind.value for kind in KINDS)]),
    multiple=True,
    help="Only this kind; may be repeated. `tickwork notify kinds` explains them; default: all.",
)
@click.option("--quiet", metavar="FROM-UNTIL", help='Hours such as 22:00-07:00: only what is critical; "" for none.')
@click.option("--zone", help=f"The zone of those hours and of all times; default: {DEFAULT_ZONE}.")
@click.option("--no-keyring", is_flag=True, help="Keep the URL in the file, which only you can read.")
def add(
    name: str, level: str | None, kinds: Collection[str], *, quiet: str | None, zone: str | None, no_keyring: bool
) -> None:
    """Add a channel, or change the one of that name. Its URL is asked for, or read from standard input.

    A change keeps the options that are not given, and with an empty answer the URL. The URL is kept with your other
    credentials, in the system's keyring, or in the file that only you can read.
    """
    known = _load()
    former = next((one for one in known if one.name == name), None)
    given: dict[str, Any] = {
        "url": _ask_url(has_default=former is not None) or None,
        "level": None if level is None else Level(level),
        "kinds": None if not kinds else () if _ALL in kinds else tuple(map(Kind, kinds)),
        "quiet": quiet,
        "zone": zone,
    }
    changed = {field: value for field, value in given.items() if value is not None}
    channel = check_channel(replace(former or Channel(name=name, url=""), **changed))
    if not notifier.is_known(channel.url):
        raise SettingsError(
            f"the URL of channel {name} names no service that Apprise knows, or lacks a part: expected such as "
            f"{_EXAMPLES}; https://appriseit.com/services/ has all"
        )
    others = tuple(one for one in known if one.name != name)
    _store((*others, channel), may_use_keyring=not no_keyring)
    click.echo(f"Channel {name} is {'added' if former is None else 'changed'}.")
    click.echo(f"`tickwork notify test {name}` sends a message to it now.")
    _print_restart()


@command.command("list")
@json_option
@list_options
def show_list(*, as_json: bool) -> None:
    """List the channels, what each takes, how many notifications wait for it, and why the last one was not sent."""
    delivered: dict[str, dict[str, Any]] = {}
    if read_running_state() is not None:
        with connect() as connection:
            delivered = outbox.summarize(connection)
    rows = [_to_row(one, delivered.get(one.name, {})) for one in _load()]
    if as_json:
        print_json({"channels": rows})
        return
    CHANNELS.print(
        [row | {"kinds": ", ".join(row["kinds"]) or "all"} for row in rows],
        empty="No channel: `tickwork notify add NAME` adds one.",
    )


@command.command("kinds")
def show_kinds() -> None:
    """Explain the kinds of notifications."""
    for kind in KINDS:
        click.echo(f"{kind:9} {MEANINGS[kind]}")


@command.command("test")
@click.argument("name", required=False)
def send_test(name: str | None) -> None:
    """Send a message to one channel, or to each. It needs no running stack."""
    failed = False
    for channel in _choose(name):
        try:
            notifier.send(
                channel.url, "Tickwork: test", f"This is channel {channel.name}. It takes {_describe(channel)}."
            )
        except RefusedError as error:
            failed = True
            click.echo(f"{channel.name}: {error}", err=True)
        else:
            click.echo(f"{channel.name}: sent.")
    if failed:
        raise SystemExit(1)


@command.command("remove")
@click.argument("name")
def remove(name: str) -> None:
    """Remove a channel. What still waits for it is not sent."""
    (channel,) = _choose(name)
    left = tuple(one for one in _load() if one.name != channel.name)
    if left:
        _store(left, may_use_keyring=True)
    else:
        remove_settings(find_settings_file(), [_SETTING.key])
    click.echo(f"Channel {name} is removed.")
    _print_restart()


def _ask_url(*, has_default: bool) -> str:
    if sys.stdin.isatty():
        default, hint = ("", "; Enter keeps it") if has_default else (None, "")
        question = f"URL, such as {_EXAMPLES}{hint}"
        answer: str = click.prompt(question, default=default, show_default=False, hide_input=True, err=True)
        return answer.strip()
    return sys.stdin.read().strip()


def _load() -> tuple[Channel, ...]:
    return load_settings().notify_channels


def _store(channels: tuple[Channel, ...], *, may_use_keyring: bool) -> None:
    if _SETTING.variable in environment():
        raise SettingsError(
            f"{_SETTING.variable} is set in this shell and wins over the file: unset it there, then run this again"
        )
    store_settings(find_settings_file(), {_SETTING: format_channels(channels)}, may_use_keyring=may_use_keyring)


def _choose(name: str | None) -> list[Channel]:
    known = _load()
    found = [one for one in known if name in {None, one.name}]
    if not found:
        names = ", ".join(one.name for one in known)
        raise RefusedError(
            f"no channel is called {name!r}: expected {names}"
            if known
            else "there is no channel: `tickwork notify add NAME` adds one"
        )
    return found


def _to_row(channel: Channel, delivered: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": channel.name,
        "service": channel.service,
        "level": channel.level,
        "kinds": list(channel.kinds),
        "quiet": channel.quiet or None,
        "zone": channel.zone,
        "waiting_count": delivered.get("waiting_count", 0),
        "given_up_count": delivered.get("given_up_count", 0),
        "sent_at": delivered.get("sent_at"),
        "error": delivered.get("error"),
    }


def _describe(channel: Channel) -> str:
    kinds = ", ".join(channel.kinds) or "all kinds"
    quiet = f"; from {channel.quiet} ({channel.zone}) only what is critical" if channel.quiet else ""
    return f"{kinds} from level {channel.level} on{quiet}"


def _print_restart() -> None:
    if read_running_state() is not None:
        click.echo(
            "The running stack keeps the channels it was started with: `tickwork down`, then `tickwork up`, to use "
            "these."
        )
