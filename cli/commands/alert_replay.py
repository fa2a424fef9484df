"""`tickwork alerts replay`: trades a stored alert again, as a new alert of the same hook."""

import sys
from uuid import UUID

import click
from sqlalchemy import Connection

from cli.client.alert_lookup import find_alert
from cli.client.alert_reading import describe_request, format_field, read_body
from cli.client.alert_view import describe_outcome, read_outcomes, to_row
from cli.client.job_client import JobClient, open_client, wait_option
from cli.console.output import print_json
from cli.console.params import AlertIdType, json_option
from shared.db.accounts import accounts
from shared.db.alerts import alert_history, hooks
from shared.db.alerts.alert_history import AlertRecord
from shared.domain.alerts.alert import Alert
from shared.domain.market_data.contract_text import shorten_contracts
from shared.errors import RefusedError, SettingsError
from shared.ids import new_id
from shared.ledger.batch_insert import is_wanted
from shared.ledger.jobs.alerts import HandleAlert, alert_job_options, jobs_beside


@click.command("replay")
@click.argument("digits", metavar="ID", type=AlertIdType())
@click.option("--yes", is_flag=True, help="Skip the confirmation.")
@wait_option
@json_option
def replay(digits: str, wait_s: float, *, yes: bool, as_json: bool) -> None:
    """Trade a stored alert again, now. The same body becomes a new alert of the same webhook.

    It passes every check of a new alert but the age of its message. An entry that could not be submitted within the
    entry TTL expires. A refused alert is read in the webhook's present dialect.
    """
    with open_client() as client:
        with client.connect() as connection:
            record = find_alert(connection, digits)
            _require_active_hook(record)
            dialect = record.dialect if record.verdict == "accepted" else record.settings.dialect
            alert = _require_readable(record, dialect)
            traded = _describe_accounts(connection, record)
        _confirm(f"This trades now: {describe_request(alert)} on {traded}. Replay it?", yes=yes, as_json=as_json)
        alert_id, job_id = _enqueue(client, record, alert, dialect)
        if not as_json:
            click.echo(f"Replayed as alert {alert_id}: `tickwork alerts show {alert_id}` shows its outcome.")
        problem = _wait(client, alert_id, job_id, wait_s, as_json=as_json)
        with client.connect() as connection:
            (outcome,) = read_outcomes(connection, alert_history.list_by_ids(connection, [alert_id]))
    row = to_row(outcome)
    if as_json:
        names = ("job", "signals", "orders", "submitted_ms", "reason")
        ids = {"alert_id": alert_id, "replay_of": record.id, "job_id": job_id}
        print_json(ids | {name: row[name] for name in names} | {"error": problem})
    else:
        reason = f": {format_field(shorten_contracts(row['reason']))}" if row["reason"] and problem is None else ""
        click.echo(f"{describe_request(alert)}: {describe_outcome(row)}{reason}")
    if problem is not None:
        if not as_json:
            click.echo(f"tickwork: {shorten_contracts(problem)}", err=True)
        raise click.exceptions.Exit(1)


def _wait(client: JobClient, alert_id: UUID, job_id: UUID, wait_s: float, *, as_json: bool) -> str | None:
    """Wait until all that the alert caused has ended; return what went wrong, or that it goes on, None on success."""
    try:
        outcomes = client.wait([job_id], wait_s, quiet=as_json)
    except click.ClickException as error:
        return error.message
    if outcomes.live and not outcomes.failed:
        return f"it has not ended within {wait_s:g} s, and goes on: `tickwork alerts show {alert_id}` shows the outcome"
    return outcomes.describe_problem()


def _enqueue(client: JobClient, record: AlertRecord, alert: Alert, dialect: str) -> tuple[UUID, UUID]:
    """Commit the new alert and its jobs as the receiver does; return the ids of the alert and of its own job."""
    alert_id = new_id()
    with client.transaction() as tx:
        job_id = tx.enqueue(
            HandleAlert(alert_id=alert_id),
            key=f"alert:{record.hook_id}:replay:{alert_id}",
            **alert_job_options(alert, record.account_id, client.settings.entry_ttl),
        ).job_id
        followers = hooks.list_followers(tx.connection).get(record.hook_id, {})
        account_ids = (record.account_id, *followers)
        for request, options in jobs_beside(job_id, alert_id, alert, account_ids, client.settings.entry_ttl):
            if is_wanted(tx.connection, request):
                tx.enqueue(request, **options)
        if not alert_history.add_replay(tx.connection, record.id, alert_id, alert, dialect=dialect, job_id=job_id):
            raise RefusedError(f"hook {record.hook} was paused or removed meanwhile: nothing was replayed")
    return alert_id, job_id


def _require_active_hook(record: AlertRecord) -> None:
    if record.is_hook_removed:
        raise RefusedError(f"hook {record.hook} is removed, so its alert {record.id} is not replayed")
    if record.is_hook_paused:
        raise RefusedError(
            f"hook {record.hook} is paused, so its alert {record.id} is not replayed: "
            "`tickwork hooks resume` ends the pause"
        )


def _require_readable(record: AlertRecord, dialect: str) -> Alert:
    """Return the alert as its hook trades it; raise RefusedError."""
    reading = read_body(record.body, dialect, record.settings)
    if reading.traded is None:
        wrong = reading.problem or {}
        raise RefusedError(f"alert {record.id} cannot be traded: {wrong['problem']}: {wrong['hint']}")
    return reading.traded


def _describe_accounts(connection: Connection, record: AlertRecord) -> str:
    names = {one.id: one.name for one in accounts.list_all(connection)}
    ids = [record.account_id, *hooks.list_followers(connection).get(record.hook_id, {})]
    return ", then ".join(f"account {one} ({names[one]})" for one in ids)


def _confirm(question: str, *, yes: bool, as_json: bool) -> None:
    if yes:
        return
    if as_json or not sys.stdin.isatty():
        raise SettingsError(f"{question} There is no terminal to confirm at: add --yes")
    if not click.confirm(question, err=True):
        raise SettingsError("nothing was replayed")
