"""The spool as an operator sees it: `status` and `doctor` with files on the disk, and a probe that is spooled."""

from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from shared.clock import machine_now
from shared.db.engine import make_engine
from shared.errors import ProbeFailedError
from shared.ids import lowest_id_at
from shared.receiver_probe import probe_receiver
from tests.fixtures.receiver_process import StartReceiver
from tests.integration.cli.shell import Shell

pytest_plugins = ("tests.fixtures.receiver",)


@pytest.fixture
def spool(shell: Shell) -> Path:
    """An empty spool of a receiver that does not run."""
    folder = shell.home / "spool"
    folder.mkdir(parents=True)
    return folder


def leave_file(spool: Path, suffix: str, age: timedelta) -> None:
    (spool / f"{lowest_id_at(machine_now() - age)}{suffix}").touch()


def test_status_without_a_stack_shows_the_alerts_that_wait_and_those_that_were_never_stored(
    shell: Shell, spool: Path
) -> None:
    leave_file(spool, ".spool", timedelta(minutes=5))
    leave_file(spool, ".spool", timedelta(hours=1))
    assert (
        f"Spool {spool}: 2 files, up to 60 min old, with alerts to be stored, see the log of the receiver.\n"
        in shell.run("status").stdout
    )

    leave_file(spool, ".rejected", timedelta(hours=2))
    (spool / "not-ours.rejected").touch()
    line = shell.run("status").stdout
    assert "; 2 files, up to 120 min old, with ACCEPTED ALERTS THAT WERE NEVER STORED" in line
    assert "docs/howto/recover.md" in line

    found = shell.json("status", expected=3)["spool"]
    assert (2, 2) == (found["waiting_files"], found["rejected_files"])
    assert found["rejected_since"] < found["waiting_since"]


def test_an_empty_spool_is_not_mentioned(shell: Shell, spool: Path) -> None:
    assert str(spool) not in shell.run("status").stdout


@pytest.mark.parametrize("suffix", [".spool", ".rejected"])
def test_doctor_finds_accepted_alerts_that_are_not_stored(shell: Shell, spool: Path, suffix: str) -> None:
    leave_file(spool, suffix, timedelta(minutes=5))

    checks = {one["name"]: one for one in shell.json("doctor", expected=1)["checks"]}

    assert ("wrong", True) == (checks["spool"]["state"], "1 file, 5 min old," in checks["spool"]["detail"])


def test_a_test_alert_that_is_spooled_is_reported_as_such(
    database_url: str, start_receiver: StartReceiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.receiver_probe._SENDER_TIMEOUT_S", 100.0)
    receiver = start_receiver(timeout_s=1.0)
    engine = make_engine(database_url, program="test")
    probe_receiver(engine, tmp_path, receiver.url)

    with psycopg.connect(database_url) as other:
        other.execute("LOCK TABLE job")
        with pytest.raises(
            ProbeFailedError, match="Postgres is away for the receiver, which keeps alerts in its spool"
        ):
            probe_receiver(engine, tmp_path, receiver.url)
    engine.dispose()
