"""`tickwork export`: every row as CSV, as the tables and views have it."""

import csv
import io
from pathlib import Path

import pytest

from cli.console.new_file import open_new_file
from tests.fixtures.alert_steps import hold, run_until
from tests.fixtures.operator import RunCommand
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv


@pytest.fixture
def traded(worker_env: WorkerEnv) -> WorkerEnv:
    """Buy one contract by an alert, and sell it again."""
    hold(worker_env, 1)
    worker_env.entry_alert(action="sell", quantity=1)
    run_until(worker_env, 0)
    return worker_env


def rows_of(operator: RunCommand, *arguments: str) -> list[dict[str, str]]:
    done = operator("export", *arguments)
    assert (0, "") == (done.status, done.error)
    return list(csv.DictReader(io.StringIO(done.out)))


def test_orders_fills_alerts_and_days_are_written_whole(operator: RunCommand, traded: WorkerEnv) -> None:
    orders = rows_of(operator, "orders")
    ids = [str(order_id) for (order_id,) in traded.rows("SELECT id FROM orders ORDER BY created_at")]
    assert ids == [row["id"] for row in orders]
    assert ["BUY", "SELL"] == [row["side"] for row in rows_of(operator, "fills", "--account", "20001")]
    assert ["BUY", "SELL"] == [row["action"] for row in rows_of(operator, "alerts")]
    (day,) = rows_of(operator, "days")
    assert "20001" == day["account_id"]


def test_rows_are_chosen_by_their_time(operator: RunCommand, traded: WorkerEnv) -> None:
    ((first, last),) = traded.rows("SELECT min(start), max(start) FROM bars")

    assert len(rows_of(operator, "bars")) > 2
    assert [] == rows_of(operator, "bars", "--until", first.isoformat())
    (newest,) = rows_of(operator, "bars", "--since", last.isoformat())
    assert newest["start"].startswith(f"{last:%Y-%m-%d %H:%M}")


def test_a_file_is_new_and_never_overwritten(operator: RunCommand, traded: WorkerEnv, tmp_path: Path) -> None:  # noqa: ARG001  # it trades
    file = tmp_path / "fills.csv"
    assert f"bytes to {file}." in operator("export", "fills", "--to", str(file)).error
    assert 3 == len(file.read_text().splitlines())

    again = operator("export", "fills", "--to", str(file))
    assert (1, True) == (again.status, "is there already: choose a new file" in again.error)
    assert 3 == len(file.read_text().splitlines())


def test_an_export_that_fails_leaves_no_file(operator: RunCommand, worker_env: WorkerEnv, tmp_path: Path) -> None:
    worker_env.execute(
        "INSERT INTO bar_day (contract_id, trading_day, bar_count, first_start, first_open_ticks, value_bytes, packed)"
        f" VALUES ('{MNQ}', '2026-01-05', 1, now(), 2147483647, 4, decode(repeat('7fffffff', 6), 'hex'))"
    )
    file = tmp_path / "bars.csv"

    assert 0 != operator("export", "bars", "--to", str(file)).status
    assert not file.exists()


def test_a_file_that_is_interrupted_is_removed(tmp_path: Path) -> None:
    file = tmp_path / "bars.csv"
    with pytest.raises(KeyboardInterrupt), open_new_file(file):
        raise KeyboardInterrupt

    assert not file.exists()


def test_a_file_that_cannot_be_written_is_no_fault_of_tickwork(operator: RunCommand, tmp_path: Path) -> None:
    file = tmp_path / "nowhere" / "fills.csv"
    done = operator("export", "fills", "--to", str(file))

    assert (1, f"tickwork: cannot write {file}: no such file or directory\n") == (done.status, done.error)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("positions",), "invalid KIND 'positions': expected trades"),
        (("trades", "--since", "yesterday"), "invalid time 'yesterday': expected a day or an instant"),
        (("bars", "--account", "20001"), "bars belong to no account"),
        (
            ("bars", "--since", "2026-03-09", "--until", "2026-03-08T12:00"),
            "no time lies from --since 2026-03-09 on and before --until 2026-03-08T12:00",
        ),
        (("trades", "--account", "7"), "account 7 is unknown"),
    ],
)
def test_what_cannot_be_exported_is_refused(operator: RunCommand, arguments: tuple[str, ...], message: str) -> None:
    done = operator("export", *arguments)

    assert 0 != done.status
    assert message in done.words
