"""`tickwork accounts rules`: the rule book of an account, and what a person changes of it."""

from collections.abc import Mapping
from dataclasses import replace

import click

from cli.client.lookup import one_account
from cli.client.stack import begin, connect, settings_of_stack
from cli.console.output import print_json, print_table
from shared.db.accounts import accounts
from shared.db.accounts.accounts import AccountRow
from shared.db.risk.risk_snapshots import book_of
from shared.domain.risk.rule_book import PRESETS
from shared.domain.risk.rule_changes import describe
from shared.errors import RefusedError

RULE_COLUMNS = ("rule", "value", "source", "preset_says")


@click.command("rules")
@click.argument("account")
@click.argument("changes", metavar="[NAME=VALUE]...", nargs=-1)
@click.option("--preset", metavar="NAME", help=f"Begin with another book: {', '.join(PRESETS)}.")
@click.option("--reset", is_flag=True, help="Forget every change, and the preset that was named.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout, for scripts.")
def rules(account: str, changes: tuple[str, ...], preset: str | None, *, reset: bool, as_json: bool) -> None:
    """List the rules of an account with their sources, or change some: `accounts rules 123 daily_loss_limit=800`.

    NAME=preset takes a change back; NAME=none switches a rule off where that may be.
    """
    wished = [_change(text) for text in changes]
    if preset is not None and preset not in PRESETS:
        raise RefusedError(f"{preset!r} is no preset: there are {', '.join(PRESETS)}")
    if not (wished or preset or reset):
        with connect() as connection:
            row = one_account(connection, account)
    else:
        with begin() as connection:
            row = one_account(connection, account)
            row = accounts.lock(connection, row.id) or row
            after = _changed(row, dict(wished), preset, is_reset=reset)
            book_of(after)  # what cannot be used is refused here
            accounts.change(connection, row.id, rules=after.rules, rule_changes=dict(after.rule_changes))
            said = ", ".join([*(["reset"] if reset else []), *([f"preset {preset}"] if preset else []), *changes])
            accounts.note(connection, row.id, "rules", f"{said}, by hand")
            row = after
    _show(row, as_json=as_json)


def _change(text: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not mark or not name.strip() or not value.strip():
        raise RefusedError(f"{text!r} is no change of a rule: give NAME=VALUE, such as daily_loss_limit=800")
    return name.strip(), value.strip()


def _changed(row: AccountRow, wished: Mapping[str, str], preset: str | None, *, is_reset: bool) -> AccountRow:
    kept = {} if is_reset else dict(row.rule_changes)
    for name, value in wished.items():
        if value.lower() != "preset":
            kept[name] = value
        elif kept.pop(name, None) is None and name not in dict(_plain(row)):
            raise RefusedError(f"{name!r} is no rule of the book: the rules are {', '.join(dict(_plain(row)))}")
    return replace(row, rules=preset or (None if is_reset else row.rules), rule_changes=kept)


def _plain(row: AccountRow) -> list[tuple[str, str]]:
    """Return every rule as the preset has it."""
    return [(name, value) for name, value, _ in describe(book_of(replace(row, rule_changes={})))]


def rule_rows(row: AccountRow) -> list[dict[str, str | None]]:
    """Return every rule of an account: its value, where it comes from, and what a change by hand has replaced."""
    plain = dict(_plain(row))
    rows: list[dict[str, str | None]] = []
    for name, value, source in describe(book_of(row, max_quantity=settings_of_stack().max_quantity)):
        whence, says = source, None
        if name in row.rule_changes:
            whence, says = f"changed by hand ({source})", plain[name]
        elif name == "max_quantity":
            whence = "TICKWORK_MAX_QUANTITY"
        rows.append({"rule": name, "value": value, "source": whence, "preset_says": says})
    return rows


def _show(row: AccountRow, *, as_json: bool) -> None:
    book, rows = book_of(row), rule_rows(row)
    if as_json:
        print_json({"id": row.id, "name": row.name, "preset": book.name, "version": book.version, "rules": rows})
        return
    click.echo(f"Account {row.id} ({row.name}) keeps the book {book.name} of {book.version}; {book.source}.")
    print_table("Rules", rows, RULE_COLUMNS, empty="")
