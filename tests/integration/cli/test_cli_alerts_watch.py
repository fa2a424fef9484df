"""`tickwork alerts list --watch`: each new alert and each change of its outcome, once."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import timedelta
from threading import Event
from uuid import UUID

import pytest
from sqlalchemy import Connection

from cli.client import alert_watch
from cli.client.alert_watch import AlertWatch
from shared.db.alerts.alert_history import AlertFilter
from shared.db.engine import autocommit
from tests.fixtures.alert_steps import run_until
from tests.fixtures.operator import RunCommand
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.cli.test_cli_alerts import SHORT_BODY, alert_of, refuse


@pytest.fixture
def reading(worker_env: WorkerEnv) -> Iterator[Connection]:
    with autocommit(worker_env.ledger.engine) as connection:
        yield connection


def test_a_watch_tells_each_new_alert_and_each_change_of_its_outcome_once(
    worker_env: WorkerEnv, reading: Connection
) -> None:
    old = refuse(worker_env, SHORT_BODY)
    watch = AlertWatch(AlertFilter())
    assert [old] == [row["id"] for row in watch.start(reading, 20)]
    assert [] == list(watch.poll(reading))

    alert_id = alert_of(worker_env, worker_env.entry_alert())
    assert [(alert_id, "queued", [])] == [(row["id"], row["job"], row["orders"]) for row in watch.poll(reading)]
    assert [] == list(watch.poll(reading))
    run_until(worker_env, 1)
    assert [(alert_id, "succeeded", ["FILLED"])] == [
        (row["id"], row["job"], row["orders"]) for row in watch.poll(reading)
    ]
    assert [] == list(watch.poll(reading))


def test_a_watch_tells_an_alert_of_the_spool_once_however_long_ago_it_was_received(
    worker_env: WorkerEnv, reading: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(worker_env, SHORT_BODY, received=timedelta(hours=3))
    watch = AlertWatch(AlertFilter())
    before = refuse(worker_env, SHORT_BODY)
    watch.start(reading, 1)
    assert [] == list(watch.poll(reading))

    spooled = [refuse(worker_env, SHORT_BODY, received=timedelta(hours=hours)) for hours in (2, 50)]
    assert spooled[::-1] == [row["id"] for row in watch.poll(reading)]
    assert [] == list(watch.poll(reading))

    monkeypatch.setattr(alert_watch, "_MOST_KNOWN", 1)
    assert [] == list(watch.poll(reading))
    assert {before} >= watch._known  # noqa: SLF001  # it is bounded
    newest = refuse(worker_env, SHORT_BODY)
    assert [newest] == [row["id"] for row in watch.poll(reading)]
    assert [] == list(watch.poll(reading))


def test_a_watch_prints_lines_until_it_is_interrupted(
    operator: RunCommand, worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    alert_id = refuse(worker_env, SHORT_BODY)

    class Interrupt(Event):
        def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002  # threading's signature
            raise KeyboardInterrupt

    monkeypatch.setattr("cli.commands.alerts.Event", Interrupt)

    forms = ((), ("--json",), ("-o", "csv"))
    text, lines, table = (operator("alerts", "list", "--watch", *options) for options in forms)

    assert (130, 130, 130) == (text.status, lines.status, table.status)
    assert f"{alert_id} hook" in text.out
    assert "refused: 422: invalid quantity '0'\n" in text.out
    assert str(alert_id) == json.loads(lines.out)["id"]
    (row,) = csv.DictReader(io.StringIO(table.out))
    assert (str(alert_id), "refused") == (row["id"], row["verdict"])
    chosen = operator("alerts", "list", "--watch", "-o", "csv", "--columns", "verdict,hook")
    assert ["verdict,hook", f"refused,{row['hook']}"] == chosen.out.splitlines()
    assert "--watch prints lines: add -o csv" in operator("alerts", "list", "--watch", "--columns", "id").error


def test_a_watch_as_csv_has_its_heading_once(
    operator: RunCommand, worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, later = refuse(worker_env, SHORT_BODY), list[UUID]()

    class Pause(Event):
        def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002  # as above
            if later:
                raise KeyboardInterrupt
            later.append(refuse(worker_env, SHORT_BODY))
            return False

    monkeypatch.setattr("cli.commands.alerts.Event", Pause)

    shown = operator("alerts", "list", "--watch", "-o", "csv", "--columns", "id").out
    assert ["id", str(first), str(later[0])] == shown.splitlines()
