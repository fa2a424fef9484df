"""The findings of the accounts' rules as commands show them, and the market of the database."""

from collections.abc import Sequence
from typing import Any

import click
from sqlalchemy import Connection

from shared.db.market_data import market_clock
from shared.db.market_data.market_clock import MarketRow
from shared.domain.market_data.contract_text import shorten_contracts
from shared.domain.risk.findings import chicago_time
from shared.overview.risk_view import RiskView

NO_FINDINGS = "The risk monitor has nothing to act on."  # which is not to say that an entry is allowed


def list_findings(found: RiskView, account_id: int) -> list[dict[str, Any]]:
    """Return the current findings of an account, as rows."""
    return [
        {
            "rule": one.rule,
            "action": one.action.name,
            "message": one.message,
            "lifts_market_at": one.lifts_market_at,
        }
        for one in found.findings(account_id)
    ]


def print_findings(rows: Sequence[dict[str, Any]]) -> None:
    """Print each finding on a line of its own: a table would cut off the figures."""
    if not rows:
        click.echo(NO_FINDINGS)
    for row in rows:
        lifts = "" if row["lifts_market_at"] is None else f" (lifts {chicago_time(row['lifts_market_at'])})"
        click.echo(f"  {row['action']:7} {shorten_contracts(row['message'])}{lifts}")


def require_market(connection: Connection) -> MarketRow:
    """Return the database's market; raise SettingsError when there is none yet."""
    return market_clock.require(connection)
