"""Flatten requests, and the wait for the venue's confirmation."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import click
from sqlalchemy import Connection

from cli.client.change_check import current_actor
from cli.client.job_client import JobClient, JobOutcomes
from cli.client.locks import require_unlocked
from cli.client.risk_view import require_market
from cli.console.output import print_json
from cli.console.table import Table
from shared.db.accounts.accounts import AccountRow
from shared.db.accounts.in_turn import visit_accounts
from shared.db.accounts.installations import find_other
from shared.db.engine import limit_lock_wait
from shared.db.orders import flatten_requests
from shared.errors import SettingsError
from shared.ledger.flattening import request_flatten

REQUESTS = Table(
    "Flatten requests", ("account", "contract", "venue", "sweeps", "requested_at", "flat_at"), spare=("requested_at",)
)


def confirm(question: str, *, yes: bool, as_json: bool) -> None:
    """Ask for confirmation unless `yes`; raise SettingsError on a no, and without a terminal to ask at."""
    if yes:
        return
    if as_json or not sys.stdin.isatty():
        raise SettingsError(f"{question} There is no terminal to confirm at: add --yes")
    if not click.confirm(question, err=True):
        raise SettingsError("nothing was flattened")


def warn_read_only(connection: Connection, chosen: Sequence[AccountRow]) -> None:
    """Say, for each account that another installation trades, that two closes at once may reverse a position."""
    market_now = require_market(connection).clock.now()
    for one in chosen:
        if (other := find_other(one, market_now)) is not None:
            whose = "a copy of this installation" if other.has_our_id else f"installation {other.id} of Tickwork"
            click.echo(
                f"Warning: {whose} trades {one.name} ({one.id}) too: two closes at once "
                "can reverse a position, so check it at the venue.",
                err=True,
            )


@dataclass(frozen=True, slots=True)
class FlattenOutcome:
    """What became of flatten requests: their rows, their jobs, and the accounts that another session locks."""

    rows: list[dict[str, Any]]
    jobs: JobOutcomes
    chosen: Sequence[AccountRow]
    locked: Sequence[AccountRow]

    def require_flat(self) -> None:
        """Raise unless the venue has confirmed each account flat."""
        self.jobs.require_success()
        require_unlocked(self.locked, self.chosen, "flattened")


def flatten(
    client: JobClient,
    chosen: Sequence[AccountRow],
    contract_ids: list[str] | None,
    reason: str,
    wait_s: float | None,
    *,
    as_json: bool,
) -> None:
    """Flatten as `request_and_wait` does, and print what became of it.

    Raise RefusedError at the end for accounts that another session locks, within end_blocking_sessions.
    """
    done = request_and_wait(client, chosen, contract_ids, reason, wait_s, quiet=as_json)
    if as_json and not done.locked and all(row["is_flat"] for row in done.rows):
        print_json({"flattened": done.rows})
        return
    if not as_json:
        shown = [row | {"contract": row["contract"] or "everything", "venue": row["venue_status"]} for row in done.rows]
        REQUESTS.print(shown, empty="No accounts.")
    done.require_flat()


def request_and_wait(
    client: JobClient,
    chosen: Sequence[AccountRow],
    contract_ids: list[str] | None,
    reason: str,
    wait_s: float | None,
    *,
    quiet: bool,
) -> FlattenOutcome:
    """Flatten the accounts, or some contracts of them, each account by itself; then wait until the venue confirms flat.

    Raise RefusedError if another session locks all of the accounts.
    """
    with client.connect() as connection:
        warn_read_only(connection, chosen)
    job_by_request: dict[UUID, UUID] = {}

    def request(account: AccountRow, wait: timedelta) -> None:
        with client.transaction() as tx:
            limit_lock_wait(tx.connection, wait)
            wanted = [None] if contract_ids is None else contract_ids
            requested = [request_flatten(tx, account, contract_id, reason, current_actor()) for contract_id in wanted]
        job_by_request.update(requested)

    locked = visit_accounts(chosen, request)
    if not job_by_request:
        require_unlocked(locked, chosen, "flattened")
    names = {one.id: one.name for one in chosen}

    def progress(connection: Connection) -> str:
        return "; ".join(
            f"{names[request.account_id]}: {'flat' if request.flat_at else request.progress or 'requested'}"
            for request in flatten_requests.list_by_ids(connection, list(job_by_request))
        )

    # Wait for the flatten requests only: the guard's follow-up jobs do not change the outcome.
    job_ids = list(dict.fromkeys(job_by_request.values()))
    outcomes = client.wait(job_ids, wait_s, progress, quiet=quiet, with_caused=False)
    with client.connect() as connection:
        requests = flatten_requests.list_by_ids(connection, list(job_by_request))
    rows = [
        {
            "account": names[request.account_id],
            "account_id": request.account_id,
            "contract": request.contract_id,
            "venue_status": request.progress,
            "is_flat": request.flat_at is not None,
            "sweeps": request.sweep_count,
            "requested_at": request.requested_at,
            "flat_at": request.flat_at,
        }
        for request in requests
    ]
    return FlattenOutcome(rows, outcomes, chosen, locked)
