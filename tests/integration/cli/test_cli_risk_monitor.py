"""What `status` and `doctor` say of the risk monitor."""

from typing import Any

import pytest

from cli.client.monitor_view import print_monitor
from shared.overview.monitor_health import read_monitor_figures
from tests.fixtures.monitors import Monitors
from tests.fixtures.operator import RunCommand
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.cli.doctor_checks import check_with_doctor

NAME = "risk monitor"


def read_figures(worker_env: WorkerEnv) -> dict[str, Any] | None:
    with worker_env.ledger.engine.connect() as connection:
        return read_monitor_figures(connection)


def test_doctor_and_status_tell_how_late_it_runs_and_when_it_does_not(
    operator: RunCommand, monitors: Monitors, capsys: pytest.CaptureFixture[str]
) -> None:
    worker_env = monitors.worker_env
    assert "NONE runs, so no account's rules are watched" in check_with_doctor(operator, worker_env, NAME)["detail"]
    program = monitors.start()
    monitors.wait_until_active(program)
    monitors.wait_for_next_run()

    figures = read_figures(worker_env)
    assert figures is not None
    assert (program.pid, True) == (figures["pid"], figures["run_count"] >= 2)
    assert 0 <= figures["p50_delay_s"] <= figures["max_delay_s"]
    print_monitor(figures)
    assert f"Risk monitor: active (process {program.pid} on " in capsys.readouterr().out

    program.kill()
    worker_env.execute("UPDATE risk_monitor SET ran_at = now() - interval '5 minutes'")
    silent = check_with_doctor(operator, worker_env, NAME)
    assert ("wrong", True) == (silent["state"], silent["detail"].startswith("SILENT for 5 min (process "))
    print_monitor(read_figures(worker_env))
    assert "Risk monitor: SILENT for 5 min" in capsys.readouterr().out


def test_a_monitor_that_is_late_is_a_warning(operator: RunCommand, worker_env: WorkerEnv) -> None:
    worker_env.execute(
        "INSERT INTO risk_monitor (host, pid, active_since_at, ran_at, run_count, last_delay, p50_delay, max_delay) "
        "VALUES ('a computer', 7, now(), now() + interval '1 minute', 5, '0.1 s', '1.2 s', '3 s')"
    )
    found = check_with_doctor(operator, worker_env, NAME)

    assert "warning" == found["state"]
    assert "late by 100 / 1200 / 3000 ms (last / p50 / max of the last minute)" in found["detail"]
