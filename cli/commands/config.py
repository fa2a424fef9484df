"""`tickwork config`: the settings of settings.toml, and where the value of each comes from."""

import re
import sys
from typing import Any

import click

from cli.client.stack import read_running_state
from cli.console.groups import CommandGroup
from cli.console.list_options import list_options
from cli.console.output import print_json
from cli.console.params import json_option
from cli.console.table import Table
from cli.local.home.settings_writer import find_settings_file, remove_settings, store_settings
from shared.config import environment, load_settings, own_settings_file
from shared.errors import SettingsError
from shared.log import mask_secrets
from shared.setting_keys import BY_KEY, BY_VARIABLE, SETTING_KEYS, SettingKey
from shared.settings_file import SettingsFile, find_key, holds_secret

_NUMBER = re.compile(r"-[0-9.]+")
SETTINGS = Table("Settings", ("setting", "value", "source", "meaning"), spare=("meaning",), is_list=True)


@click.group(name="config", cls=CommandGroup)
def command() -> None:
    """Show and change the settings in settings.toml.

    A variable of the environment wins over the file, and the file over the default. A running stack keeps the settings
    that it was started with.
    """


@command.command("path")
def show_path() -> None:
    """Print the path of the settings file, which need not exist."""
    click.echo(find_settings_file())


@command.command("list")
@json_option
@list_options
def list_settings(*, as_json: bool) -> None:
    """List every setting, its value, and where that comes from. Secrets are masked."""
    found = own_settings_file()
    rows = [_to_row(one, found) for one in SETTING_KEYS]
    if as_json:
        print_json({"file": str(find_settings_file()), "settings": rows})
    else:
        SETTINGS.print(rows, empty="", title=f"Settings ({find_settings_file()})")
    load_settings(with_secrets=False)  # an invalid value is an error here, and not first at the next start


@command.command("get")
@click.argument("name", metavar="SETTING")
@json_option
def show_setting(name: str, *, as_json: bool) -> None:
    """Print the value of one setting; a secret is masked."""
    row = _to_row(find_key(name), own_settings_file())
    if as_json:
        print_json(row)
    else:
        click.echo("" if row["value"] is None else row["value"])


@command.command("set", context_settings={"ignore_unknown_options": True})
@click.argument("name", metavar="SETTING")
@click.argument("value", required=False)
@click.option("--no-keyring", is_flag=True, help="Keep a secret in the file, which only you can read.")
@click.pass_context
def change_setting(ctx: click.Context, /, name: str, value: str | None, *, no_keyring: bool) -> None:
    """Set one setting in the file. Without VALUE it is asked for, or read from standard input.

    A secret is never an argument: every user of this computer could read it in the list of processes. It goes into the
    system's keyring, or, where there is none, into the file, which only its owner can read.
    """
    for typed in filter(None, (name, value)):
        if typed.startswith("-") and not _NUMBER.fullmatch(typed):  # -1 is a value: the setting says whether it is one
            raise click.NoSuchOption(typed, ctx=ctx)
    setting, file = find_key(name), find_settings_file()
    if value is not None and holds_secret(setting, value):
        raise SettingsError(
            f"a secret on a command line can be read in the list of processes: run `tickwork config set {setting.key}` "
            "and type it, or pipe it in"
        )
    if value is None:
        value = _ask(setting)
    if not value:
        raise SettingsError(f"no value for {setting.key}: `tickwork config unset {setting.key}` removes it")
    is_in_keyring = bool(store_settings(file, {setting: value}, may_use_keyring=not no_keyring))
    shown = "***" if setting.is_secret else mask_secrets(value)
    place = "the system's keyring" if is_in_keyring else str(file)
    click.echo(f"{setting.key} is {shown}, in {place}.")
    _print_consequences(setting)


@command.command("unset")
@click.argument("name", metavar="SETTING")
def unset_setting(name: str) -> None:
    """Remove one setting from the file, so that its default counts again."""
    file = find_settings_file()
    setting = BY_KEY.get(name) or BY_VARIABLE.get(name)
    key = name if setting is None else setting.key
    if not file.exists() or not remove_settings(file, [key]):
        find_key(name)  # raises for what is no setting
        click.echo(f"{key} is not set in {file}.")
        return
    click.echo(f"{key} is removed from {file}.")
    if setting is not None:
        _print_consequences(setting)


def _ask(setting: SettingKey) -> str:
    if sys.stdin.isatty():
        answer: str = click.prompt(setting.meaning, hide_input=setting.is_secret, err=True)
        return answer.strip()
    return sys.stdin.read().strip()


def _to_row(setting: SettingKey, found: SettingsFile) -> dict[str, Any]:
    own = environment()
    if setting.variable in own:
        source, value = "environment", own[setting.variable]
    elif setting.variable in found.in_keyring:
        source, value = "keyring", "***"
    elif setting.variable in found.values:
        source, value = "file", found.values[setting.variable]
    else:
        source, value = "default", setting.default
    shown = "***" if setting.is_secret and value else mask_secrets(value)
    return {
        "setting": setting.key,
        "variable": setting.variable,
        "value": shown or None,
        "source": source,
        "default": setting.default or None,
        "meaning": setting.meaning,
    }


def _print_consequences(setting: SettingKey) -> None:
    if setting.variable in environment():
        click.echo(f"{setting.variable} is set in this shell and wins over the file: unset it there.")
    if read_running_state() is not None:
        click.echo(
            "The running stack keeps the settings it was started with: `tickwork down`, then `tickwork up`, to use "
            "this one."
        )
