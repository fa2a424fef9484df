"""An account that is first seen in the middle of a trading day, and the rules that it keeps from then on."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from sqlalchemy import Connection

from shared.db.accounts import account_reports, accounts
from shared.db.accounts.accounts import AccountRow
from shared.db.risk.account_books import book_of
from shared.ledger.jobs.accounts import SnapshotAccounts
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.accounts.reports import DAY, MONDAY, report_balance

FORGET = "UPDATE account SET day_opening_balance = NULL, high_water_mark = NULL, first_preset = NULL"


def first_seen(worker_env: WorkerEnv) -> tuple[Decimal | None, str | None]:
    """Return the opening balance and the first preset of the account."""
    (row,) = worker_env.rows("SELECT day_opening_balance, first_preset FROM account")
    return row[0], row[1]


def test_an_account_first_seen_in_the_middle_of_a_day_opens_without_the_fills_of_the_day(worker_env: WorkerEnv) -> None:
    opening, preset = first_seen(worker_env)
    worker_env.entry_alert(quantity=2)
    worker_env.run_due_jobs()
    worker_env.flatten()
    worker_env.run_due_jobs()
    worker_env.execute(FORGET)
    state, _, error = worker_env.run(SnapshotAccounts())

    assert "succeeded" == state, error
    (balance,) = worker_env.rows("SELECT balance FROM account")[0]
    assert opening != balance, "the trade had costs"
    assert (opening, preset) == first_seen(worker_env)
    (message,) = worker_env.rows("SELECT message FROM account_event WHERE kind = 'first_seen'")[0]
    assert f"with a balance of {balance}; by its 2 fills of the day it opened at {opening}" in message


def test_an_account_whose_opening_balance_is_unknown_enters_nothing(worker_env: WorkerEnv) -> None:
    worker_env.execute(FORGET)
    denied = worker_env.entry_alert()
    worker_env.run_due_jobs()

    assert "day_opening_balance of the account is missing" in (worker_env.job(denied)[2] or "")


def test_an_opening_balance_of_an_outdated_balance_is_not_recorded(connection: Connection) -> None:
    values = {"account_id": 1, "name": "50KTC-V2-1", "can_trade": True, "is_simulated": True}
    at = datetime(2026, 3, 9, 15, 0, tzinfo=UTC)
    account_reports.store(connection, at, balance=Decimal(50_000), reported_at=at, **values)  # type: ignore[arg-type]
    (before,) = account_reports.list_without_opening(connection)
    account_reports.store(connection, at, balance=Decimal(49_000), reported_at=at, **values)  # type: ignore[arg-type]
    account_reports.record_opening(connection, before, Decimal(50_000))

    (row,) = account_reports.list_without_opening(connection)
    assert row.day_opening_balance is None
    account_reports.record_opening(connection, row, Decimal(50_000))
    assert [] == account_reports.list_without_opening(connection)


@pytest.mark.parametrize(
    ("name", "first", "later", "preset"),
    [
        ("PRAC-V2-1", "145600", "145400", "practice-150k"),
        ("PRAC-V2-1", "145400", "150000", "practice-100k"),
        ("S1FEB2400000001", "98000", "96000", "combine-100k"),
        ("50KTC-V2-DLL-1", "50000", "47000", "combine-50k-dll"),
    ],
)
def test_the_preset_of_an_account_stays_that_of_its_first_sight(
    connection: Connection,
    name: str,
    first: str,
    later: str,
    preset: str,
) -> None:
    report_balance(connection, MONDAY, first, name)

    assert [preset, preset] == [
        book_of(report_balance(connection, MONDAY + days * DAY, later, name)).name for days in (0, 1)
    ]


def test_a_person_changes_the_preset_and_a_reset_returns_to_that_of_first_sight(
    connection: Connection,
) -> None:
    row = report_balance(connection, MONDAY, "149000", "PRAC-V2-1")
    accounts.change(connection, 1, preset="practice-50k")
    chosen = book_of(require(connection, row)).name
    accounts.change(connection, 1, preset=None)
    report_balance(connection, MONDAY, "120000", "PRAC-V2-1")

    assert ("practice-50k", "practice-150k") == (chosen, book_of(require(connection, row)).name)


def require(connection: Connection, row: AccountRow) -> AccountRow:
    found = accounts.get(connection, row.id)
    assert found is not None
    return found
