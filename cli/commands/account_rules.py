"""`tickwork accounts rules`: the rule book of an account, and its manual changes."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import click

from cli.client.change_check import confirm_effects, current_actor
from cli.client.lookup import resolve_account
from cli.client.stack import begin, connect, load_stack_settings
from cli.console.output import print_json
from cli.console.params import json_option, reason_option, yes_option
from cli.console.table import Table
from shared.db.accounts import accounts
from shared.db.accounts.accounts import AccountRow
from shared.db.risk.account_books import book_of, usable_book_of, usable_changes_of
from shared.domain.accounts.stage import Stage, parse_size, parse_stage
from shared.domain.risk.loosened_rules import list_loosened
from shared.domain.risk.rule_book import PRESETS
from shared.domain.risk.rule_changes import describe_rules
from shared.errors import RefusedError

RULES = Table("Rules", ("rule", "value", "source", "preset_value"), spare=("preset_value",))


@click.command("rules")
@click.argument("account")
@click.argument("changes", metavar="[NAME=VALUE]...", nargs=-1)
@click.option("--preset", metavar="NAME", help=f"Use another preset: {', '.join(PRESETS)}.")
@click.option("--reset", is_flag=True, help="Remove every change and return to the preset of first sight.")
@reason_option
@yes_option
@json_option
def change_rules(
    account: str,
    changes: tuple[str, ...],
    preset: str | None,
    *,
    reset: bool,
    reason: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """List or change the rules of an account. Example: `accounts rules 123 daily_loss_limit=800`.

    NAME=preset removes a change; NAME=none turns a rule off if the rule allows it. A change that would breach the
    account, lock it or close positions at once, or that is looser than the firm's rule, asks for confirmation.
    """
    requested = [_parse_change(text) for text in changes]
    if preset is not None and preset not in PRESETS:
        raise RefusedError(f"invalid preset {preset!r}: expected one of {', '.join(PRESETS)}")
    with connect() as connection:
        row = resolve_account(connection, account)
        if requested or preset or reset:
            changed = _apply_changes(row, dict(requested), preset, is_reset=reset)
            settings, loosened = load_stack_settings(), _list_loosened(row, changed)
            confirm_effects(connection, settings, row, changed, yes=yes, as_json=as_json, loosened=loosened)
    if requested or preset or reset:
        with begin() as connection:
            row = accounts.lock(connection, row.id) or row
            changed = _apply_changes(row, dict(requested), preset, is_reset=reset)
            accounts.change_by_hand(
                connection,
                row,
                current_actor(),
                "rules",
                reason=reason,
                preset=changed.preset,
                rule_changes=dict(changed.rule_changes),
            )
            summary = ", ".join([*(["reset"] if reset else []), *([f"preset {preset}"] if preset else []), *changes])
            accounts.record_event(connection, row.id, "rules", f"{summary}, by hand")
            row = changed
    _print_rules(row, as_json=as_json)


def _parse_change(text: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not mark or not name.strip() or not value.strip():
        raise RefusedError(f"invalid rule change {text!r}: expected NAME=VALUE, such as daily_loss_limit=800")
    return name.strip(), value.strip()


def _list_loosened(row: AccountRow, changed: AccountRow) -> list[str]:
    """Return what a change allows beyond the firm's own rules: those of the size in the name, else of the preset.

    The size of an Express account is in no name: a person chooses it. An account of an unknown stage had no rules.
    """
    if row.preset not in PRESETS and parse_stage(row.name) is Stage.UNKNOWN:
        return []
    chosen = None if parse_size(row.name) is not None else row.preset or changed.preset
    firm = replace(changed, rule_changes={}, preset=chosen)
    return list_loosened(*(usable_book_of(one) for one in (row, changed, firm)))


def _apply_changes(row: AccountRow, requested: Mapping[str, str], preset: str | None, *, is_reset: bool) -> AccountRow:
    """Return the row with the changes; raise RefusedError for an unusable value."""
    by_hand = {} if is_reset else dict(row.rule_changes)
    for name, value in requested.items():
        if value.lower() != "preset":
            by_hand[name] = value
        elif by_hand.pop(name, None) is None and name not in dict(_preset_rules(row)):
            raise RefusedError(f"unknown rule {name!r}: expected one of {', '.join(dict(_preset_rules(row)))}")
    changed = replace(row, preset=preset or (None if is_reset else row.preset), rule_changes=by_hand)
    check = usable_book_of if _only_mends(row, changed) else book_of
    check(changed)
    return changed


def _only_mends(row: AccountRow, changed: AccountRow) -> bool:
    """Whether nothing but changes that do not apply are removed: others of them may stay for now."""
    removed = row.rule_changes.keys() - changed.rule_changes.keys()
    rest = {name: value for name, value in row.rule_changes.items() if name not in removed}
    is_rest = changed.preset == row.preset and changed.rule_changes == rest
    return is_rest and removed.isdisjoint(usable_changes_of(row))


def _preset_rules(row: AccountRow) -> list[tuple[str, str]]:
    """Return name and value of every rule of the preset."""
    return [(name, value) for name, value, _ in describe_rules(usable_book_of(replace(row, rule_changes={})))]


def rule_rows(row: AccountRow) -> list[dict[str, Any]]:
    """Return every rule of an account: its value, its source, and the preset's value where it was changed by hand.

    `invalid_change` is a change by hand that does not apply. The values are texts that NAME=VALUE takes.
    """
    by_preset, applied = dict(_preset_rules(row)), usable_changes_of(row)
    rows: list[dict[str, Any]] = []
    for name, value, source in describe_rules(usable_book_of(row, max_quantity=load_stack_settings().max_quantity)):
        is_changed, is_invalid = name in applied, name in row.rule_changes and name not in applied
        is_setting = name == "max_quantity" and not is_changed
        rows.append(
            {
                "rule": name,
                "value": value,
                "source": "the setting max_quantity" if is_setting else source,
                "is_changed": is_changed,
                "preset_value": by_preset[name] if is_changed else None,
                "invalid_change": row.rule_changes[name] if is_invalid else None,
            }
        )
    return rows


def to_cells(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of `rule_rows` for a table, its source with what a person changed."""
    source = f"changed by hand ({row['source']})" if row["is_changed"] else row["source"]
    if row["invalid_change"] is not None:
        source += f"; the change to {row['invalid_change']!r} does not apply"
    return row | {"source": source}


def _print_rules(row: AccountRow, *, as_json: bool) -> None:
    book, rows = usable_book_of(row), rule_rows(row)
    if as_json:
        about = {"id": row.id, "name": row.name, "preset": book.name, "version": book.version}
        print_json(about | {"invalid_changes": book.invalid_changes, "rules": rows})
        return
    click.echo(f"Account {row.id} ({row.name}) uses the rule book {book.name} of {book.version}; {book.source}.")
    if row.preset is None:
        click.echo(
            "It follows from the name and the balance on first sight; change it with --preset NAME if it is wrong."
        )
    if book.invalid_changes is not None:
        click.echo(
            f"Nothing is entered, as a rule does not apply: {book.invalid_changes}. NAME=preset removes a change, "
            "--reset all of them."
        )
    RULES.print(list(map(to_cells, rows)), empty="")
