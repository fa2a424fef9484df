"""Writes docs/reference/commands.md, tables.md, states.md and json.md: `python -m tests.reference_pages`."""

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click
from sqlalchemy import Table
from sqlalchemy.dialects.postgresql.base import PGDialect

from cli.local.processes.supervisor import ChildState
from cli.main import tickwork
from shared.db import tables
from shared.domain.accounts.trading_state import TradingState
from shared.domain.orders.approval import ApprovalState
from shared.domain.orders.order import TRANSITIONS, ChangeState, OrderState
from tests.fixtures.sql_comments import list_views, read_comments
from tests.json_page import json_page

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"
SUBJECTS = (
    "accounts",
    "alerts",
    "market_data",
    "orders",
    "trades",
    "notes",
    "strategies",
    "ledger",
    "metrics",
    "notifications",
    "telegram",
)
JOB_STATES = {
    "queued": "committed, and not claimed yet; it may run from `run_at` on",
    "running": "claimed by a worker whose lease has not run out",
    "succeeded": "its effects and its end are committed",
    "failed": "refused: trying again cannot help",
    "dead": "it has used up its attempts, or failed as long as its purpose lasts; it stays until you act, or 90 days",
    "cancelled": "by a person, or because another job did its work",
    "expired": "not done before `expires_at`, or by the end of its purpose if another job does its work",
}
_WIDTH = 100
_ABOUT = (
    "`tickwork db psql` opens them, and `\\d+ orders` shows these comments there. Empty is NULL. Money is in dollars. "
    "A column that ends in `_market_at` is market time, and another that ends in `_at` is the computer's time."
)


def pages() -> dict[str, str]:
    """Return the text of each page under its file name."""
    tables_page = f"{all_tables()}\n{all_views()}"
    return {"commands.md": commands(), "tables.md": tables_page, "states.md": states(), "json.md": json_page()}


def commands() -> str:
    """Return the help of every command."""
    parts = [
        "# Commands",
        "`tickwork COMMAND --help` prints the same. [JSON](json.md) has what each prints with `--json`.",
    ]
    parts += [
        f"## {path}\n\n```\n{command.get_help(context).rstrip()}\n```" for path, command, context in all_commands()
    ]
    return "\n\n".join(parts) + "\n"


def all_commands(
    command: click.Command = tickwork, parent: click.Context | None = None
) -> Iterator[tuple[str, click.Command, click.Context]]:
    """Yield every command below `tickwork` with its path as it is typed."""
    context = click.Context(
        command,
        info_name=command.name,
        parent=parent,
        terminal_width=_WIDTH,
        max_content_width=_WIDTH,
        **command.context_settings,
    )
    if parent is not None:
        yield context.command_path, command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            child.name = name
            yield from all_commands(child, context)


def all_tables() -> str:
    """Return every table with its columns."""
    comments = read_comments()
    parts = ["# Tables", _ABOUT]
    for subject in SUBJECTS:
        module = importlib.import_module(f"{tables.__name__}.{subject}")
        parts.append(f"## {subject.replace('_', ' ')}\n\n{inspect.getdoc(module)}")
        source = inspect.getsource(module)
        for name, table in vars(module).items():
            if isinstance(table, Table) and re.search(rf"^{name} = Table\(", source, re.MULTILINE):
                parts.append(_columns(table, comments))
    return "\n\n".join(parts) + "\n"


def _columns(table: Table, comments: dict[str, str]) -> str:
    rows = [f"### {table.name}", "", comments[table.name], "", "| Column | Type | |", "|---|---|---|"]
    for column in table.columns:
        notes = ["Primary key."] if column.primary_key else []
        notes += [f"Refers to `{key.target_fullname}`." for key in column.foreign_keys]
        kind = column.type.compile(PGDialect()).lower()  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy
        told = " ".join([comments[f"{table.name}.{column.name}"], *notes])
        rows.append(f"| `{column.name}` | {kind.replace('timestamp with time zone', 'timestamptz')} | {told} |")
    return "\n".join(rows)


def all_views() -> str:
    """Return every view with its columns."""
    comments = read_comments()
    parts = ["## views\n\nFor people: [ask the database](../howto/ask-the-database.md) shows them at work."]
    for view in list_views():
        rows = [f"### {view}", "", comments[view], "", "| Column | |", "|---|---|"]
        named = {name.partition(".")[2]: text for name, text in comments.items() if name.startswith(f"{view}.")}
        parts.append("\n".join([*rows, *(f"| `{name}` | {text} |" for name, text in named.items())]))
    return "\n\n".join(parts) + "\n"


def states() -> str:
    """Return the states of accounts, jobs, orders and others, and the moves between those of an order."""
    lines = ["# States", "", "## Account", "", inspect.getdoc(TradingState) or "", ""]
    lines += [", ".join(f"`{state}`" for state in TradingState) + ".", "", "## Job", "", "| State | |", "|---|---|"]
    lines += [f"| `{state}` | {text} |" for state, text in JOB_STATES.items()]
    lines += ["", "## Order", "", inspect.getdoc(OrderState) or "", ""]
    lines += ["Postgres enforces these moves (table `order_transition`).", "", "| From | To |", "|---|---|"]
    for state in OrderState:
        targets = ", ".join(f"`{target}`" for target in OrderState if target in TRANSITIONS.get(state, ()))
        lines.append(f"| `{state}` | {targets or 'final'} |")
    lines += ["", "## Order change", "", inspect.getdoc(ChangeState) or "", ""]
    lines.append(", ".join(f"`{state}`" for state in ChangeState) + ".")
    lines += ["", "## Approval", "", inspect.getdoc(ApprovalState) or "", ""]
    lines.append(", ".join(f"`{state}`" for state in ApprovalState) + ".")
    lines += ["", "## Program", "", inspect.getdoc(ChildState) or "", ""]
    lines.append(", ".join(f"`{state}`" for state in ChildState) + ".")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for file, text in pages().items():
        (FOLDER / file).write_text(text)
