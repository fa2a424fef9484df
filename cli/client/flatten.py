"""Asks for flat and waits until the venue itself says so."""

import sys
from collections.abc import Sequence
from uuid import UUID

import click
from sqlalchemy import Connection

from cli.client.job_client import JobClient
from cli.console.output import print_json, print_table
from shared.db.accounts import accounts
from shared.db.accounts.accounts import AccountRow
from shared.db.engine import driver
from shared.db.orders import flatten_requests, orders, positions
from shared.domain.orders.order import Direction, Origin
from shared.errors import SettingsError
from shared.ids import new_id
from shared.ledger.jobs.orders import Flatten
from shared.ledger.ledger import Transaction
from shared.ledger.progress import find_live_job

_COLUMNS = ("account", "contract", "venue_says", "sweeps", "asked_at", "flat_at")


def confirm(question: str, *, yes: bool, as_json: bool) -> None:
    """Ask a person, unless told not to; where nobody can answer, `--yes` is needed."""
    if yes:
        return
    if as_json or not sys.stdin.isatty():
        raise SettingsError(f"{question} Nobody is here to answer: add --yes")
    if not click.confirm(question, err=True):
        raise SettingsError("nothing was flattened")


def what_is_there(connection: Connection, chosen: Sequence[AccountRow], contract_id: str | None) -> str:
    """Return what a flatten_request would find, by our rows, with the accounts' names."""
    return "; ".join(
        f"{one.name} ({one.id}) {', '.join(_of_account(connection, one.id, contract_id)) or 'holds nothing here'}"
        for one in chosen
    )


def _of_account(connection: Connection, account_id: int, contract_id: str | None) -> list[str]:
    held = [
        f"{Direction.LONG if row.quantity > 0 else Direction.SHORT} {abs(row.quantity)} {row.contract_id}"
        for row in positions.of_account(connection, account_id)
        if contract_id in {None, row.contract_id}
    ]
    count = sum(contract_id in {None, order.contract_id} for order in orders.open_of(connection, account_id))
    return held + ([f"{count} order(s)"] if count else [])


def flatten(
    client: JobClient,
    chosen: Sequence[AccountRow],
    contract_id: str | None,
    reason: str,
    wait_s: float | None,
    *,
    as_json: bool,
) -> None:
    """Flatten these accounts, or one contract of them: one commit, then wait until the venue says flat."""
    with client.transaction() as tx:
        asked = dict(_ask(tx, one, contract_id, reason) for one in sorted(chosen, key=lambda one: one.id))
    names = {one.id: one.name for one in chosen}

    def progress(connection: Connection) -> str:
        return "; ".join(
            f"{names[request.account_id]}: {'flat' if request.flat_at else request.progress or 'asked'}"
            for request in flatten_requests.these(connection, list(asked))
        )

    # What it causes is the guard's own business: flat is what the person waits for.
    job_ids = list(dict.fromkeys(asked.values()))
    ending = client.wait(job_ids, wait_s, progress, quiet=as_json, with_caused=False)
    with client.connect() as connection:
        requests = flatten_requests.these(connection, list(asked))
    rows = [
        {
            "account": names[request.account_id],
            "account_id": request.account_id,
            "contract": request.contract_id,
            "venue_says": request.progress,
            "is_flat": request.flat_at is not None,
            "sweeps": request.sweep_count + (request.flat_at is not None),
            "asked_at": request.asked_at,
            "flat_at": request.flat_at,
        }
        for request in requests
    ]
    if as_json and all(row["is_flat"] for row in rows):
        print_json({"flattened": rows})
        return
    if not as_json:
        shown = [row | {"contract": row["contract"] or "everything"} for row in rows]
        print_table("What the venue said", shown, _COLUMNS, empty="There is no account.")
    ending.demand_success()


def _ask(tx: Transaction, account: AccountRow, contract_id: str | None, reason: str) -> tuple[UUID, UUID]:
    """Ask, or join who asks already: two closings at once could turn a position around."""
    accounts.lock(tx.connection, account.id)
    standing = flatten_requests.open_on(tx.connection, account.id, contract_id)
    if standing is not None:
        request, story = standing.id, new_id()
        job_id = find_live_job(driver(tx.connection), Flatten.job_name(), "flatten_request_id", request)
        if job_id is not None:
            return request, job_id
    else:
        story = new_id()
        request = flatten_requests.ask(
            tx.connection, account.id, contract_id, origin=Origin.MANUAL, reason=reason, correlation_id=story
        )
        accounts.note(tx.connection, account.id, "flattened", f"{contract_id or 'everything'}: {reason}")
    return request, tx.enqueue(Flatten(flatten_request_id=request), correlation_id=story).job_id
