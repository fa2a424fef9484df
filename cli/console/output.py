"""Output of commands: JSON for scripts, and short lines."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from uuid import UUID

import click


def print_json(value: object) -> None:
    """Write `value` to stdout as JSON; instants in ISO 8601, decimals as exact text, dataclasses as objects.

    docs/reference/json has the schema of what each command writes.
    """
    json.dump(value, sys.stdout, default=_plain, indent=2)
    sys.stdout.write("\n")


def print_json_line(value: object) -> None:
    """Write `value` to stdout as one line of JSON, at once: the reader may follow the output."""
    sys.stdout.write(json.dumps(value, default=_plain) + "\n")
    sys.stdout.flush()


@dataclass(frozen=True, slots=True)
class RefusedChange:
    """A row that was not changed, and why."""

    id: UUID
    error: str


def print_outcome(done: str, changed: Sequence[UUID], refused: Sequence[RefusedChange], *, as_json: bool) -> None:
    """Print the changed rows with the participle `done`, and each refusal; exit with status 1 after a refusal."""
    if as_json:
        print_json({done: changed, "refused": refused})
    else:
        for changed_id in changed:
            click.echo(f"{done} {changed_id}")
        if not changed and not refused:
            click.echo("Nothing to do.")
        if refused:
            from shared.domain.market_data.contract_text import shorten_contracts  # noqa: PLC0415  # of a failure alone
        for one in refused:
            click.echo(f"tickwork: {shorten_contracts(one.error)}", err=True)
    if refused:
        raise click.exceptions.Exit(1)


def _plain(value: object) -> object:
    match value:
        case date():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Decimal():
            return f"{value:f}"
        case UUID() | Enum():
            return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form here")


def describe_none(rows: str, **chosen: object) -> str:
    """Return the sentence for an empty list of `rows`: it names the options that were given, which are not None."""
    given = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in chosen.items() if value is not None)
    return f"No {rows} with {given}." if given else f"No {rows} yet."


def print_fields(fields: Mapping[str, str]) -> None:
    """Print names and values in two aligned columns."""
    width = max(map(len, fields))
    for name, value in fields.items():
        click.echo(f"{name:<{width}}  {value}")
