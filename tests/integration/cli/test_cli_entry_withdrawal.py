"""An entry that a person stops waiting for: withdrawn unless it was sent, and the command says which it is."""

import signal
import subprocess
import sys
from datetime import timedelta
from uuid import UUID

import pytest

from cli.client.entry_withdrawal import EntryFate, Withdrawal, withdraw_entry
from cli.client.job_client import JobClient, JobOutcomes
from cli.commands.order_entry import print_entry
from shared.domain.orders.order import OrderType, Side
from shared.ledger.jobs.orders import EnterManually, PollFills
from shared.ledger.progress import JobProgress
from tests.fixtures.alert_steps import run_until
from tests.fixtures.operator import RunCommand
from tests.fixtures.processes import until
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.cli.orders_command import PLACE, enter_resting

MARKET = ("orders", "market", "MNQ", "buy", "1", "--stop", "400")
ENTRIES = "SELECT state FROM job WHERE name = 'orders.enter_manually'"


@pytest.fixture
def without_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no job be claimed, also by no process of the command's own."""
    monkeypatch.setattr("cli.client.job_client._CLAIM_TIMEOUT", timedelta(minutes=10))


def request(worker_env: WorkerEnv, side: Side = Side.BUY, quantity: int = 1) -> UUID:
    return worker_env.enqueue(
        EnterManually(account_id=20001, symbol=MNQ, side=side, quantity=quantity, stop_loss_ticks=400)
    )


def withdraw(worker_env: WorkerEnv, job_id: UUID) -> Withdrawal:
    return withdraw_entry(JobClient(worker_env.settings, worker_env.ledger), job_id, 20001)


def states(worker_env: WorkerEnv) -> list[str]:
    return [row[0] for row in worker_env.rows("SELECT state FROM orders WHERE role = 'ENTRY'")]


@pytest.mark.usefixtures("without_workers")
def test_an_entry_is_withdrawn_when_the_wait_for_it_is_over(operator: RunCommand, worker_env: WorkerEnv) -> None:
    result = operator(*MARKET, "--wait", "0.2")
    assert (1, "") == (result.status, result.out)
    assert "the wait of 0.2 s is over: the entry is withdrawn, and nothing was sent." in result.words
    assert "nothing was sent" in operator(*MARKET, "--wait", "0.2", "--json").json["error"]

    worker_env.run_due_jobs()
    assert ["cancelled", "cancelled"] == [row[0] for row in worker_env.rows(ENTRIES)]
    assert ([], []) == (states(worker_env), worker_env.venue.requests(PLACE))


@pytest.mark.usefixtures("operator")
def test_an_entry_is_withdrawn_on_ctrl_c(worker_env: WorkerEnv) -> None:
    worker_env.write_quote()
    worker_env.execute("UPDATE account SET reconciled_at = NULL")  # so it waits, also in a process of its own
    command = [sys.executable, "-m", "cli.main", *MARKET]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        until(lambda: bool(worker_env.rows(ENTRIES)), what="the request")
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=60)

    assert (130, "") == (process.returncode, out)
    assert "the entry is withdrawn, and nothing was sent." in error
    assert [("cancelled",)] == worker_env.rows(ENTRIES)


@pytest.mark.usefixtures("worker")
def test_what_a_command_says_of_an_entry_is_so_however_short_the_wait(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    sent = 0
    for wait in ("0.1", "0.2", "0.3", "5"):
        result = operator(*MARKET, "--wait", wait)
        assert "tickwork jobs cancel" not in result.words
        assert (result.status == 0) is ("FILLED" in result.out or "WORKING" in result.out), result
        assert (result.status == 1) is ("nothing was sent" in result.error), result
        sent += result.status == 0

    assert sent == len(worker_env.venue.requests(PLACE))
    until(lambda: worker_env.venue.position(MNQ) == sent, what="what the commands have said")


def test_an_order_that_was_not_sent_is_withdrawn(worker_env: WorkerEnv) -> None:
    job_id = request(worker_env)
    worker_env.write_quote()
    worker_env.venue.kill()
    worker_env.runner.run(job_id)
    worker_env.venue.start()
    assert ["CREATED"] == states(worker_env)

    assert EntryFate.WITHDRAWN is withdraw(worker_env, job_id).fate
    worker_env.run_due_jobs()
    assert (["CANCELLED"], []) == (states(worker_env), worker_env.venue.requests(PLACE))


def test_an_order_that_may_be_at_the_venue_is_in_doubt_and_stays(worker_env: WorkerEnv) -> None:
    worker_env.write_quote()
    worker_env.venue.faults(path=PLACE, kind="lose_answer_after")
    job_id = request(worker_env)
    worker_env.runner.run(job_id)

    found = withdraw(worker_env, job_id)
    assert (EntryFate.IN_DOUBT, ["IN_DOUBT"]) == (found.fate, states(worker_env))
    assert "it was sent, and the venue has not confirmed it" in found.text
    worker_env.run_due_jobs()
    assert ["FILLED"] == states(worker_env)
    assert EntryFate.SENT is withdraw(worker_env, job_id).fate


def test_an_unsent_order_that_was_in_doubt_is_not_sent_again_and_not_called_withdrawn(worker_env: WorkerEnv) -> None:
    worker_env.write_quote()
    worker_env.venue.faults(path=PLACE, kind="lose_before")
    job_id = request(worker_env)
    worker_env.runner.run(job_id)
    worker_env.execute("UPDATE orders SET state = 'CREATED'")

    assert EntryFate.IN_DOUBT is withdraw(worker_env, job_id).fate
    assert ["EXPIRED"] == states(worker_env)


@pytest.mark.parametrize("quantity", [2, 3], ids=["exit", "reversal"])
def test_the_close_of_a_withdrawn_entry_goes_on_though_the_venue_rejects_it_once(
    worker_env: WorkerEnv, quantity: int
) -> None:
    request(worker_env, quantity=2)
    worker_env.run_due_jobs()
    worker_env.venue.faults(path="/api/Order/place", kind="reject", error_code=2, message="no", count=1)
    job_id = request(worker_env, Side.SELL, quantity)
    worker_env.write_quote()
    worker_env.runner.run(job_id)

    assert "The close of the 2 that it reverses goes on" in withdraw(worker_env, job_id).text
    run_until(worker_env, 0)
    assert [("FILLED",)] == worker_env.rows("SELECT state FROM orders WHERE role = 'ENTRY'")


def test_a_filled_entry_whose_fills_are_still_looked_for_is_a_success(
    operator: RunCommand, worker_env: WorkerEnv, capsys: pytest.CaptureFixture[str]
) -> None:
    job_id = request(worker_env)
    worker_env.run_due_jobs()
    client = JobClient(worker_env.settings, worker_env.ledger)
    left = JobProgress(job_id, PollFills.job_name(), "queued", None, None, to_start=None, is_lost=False)
    capsys.readouterr()
    print_entry(client, JobOutcomes([job_id], [*client.read([job_id]).jobs, left]), job_id, as_json=False)

    told = capsys.readouterr()
    assert "FILLED at" in told.out
    assert "the look for fills is not over yet: `tickwork positions` shows the stop" in told.out
    assert "" == told.err
    assert 0 == operator("positions").status


def test_without_a_quote_an_entry_is_refused_at_once_and_a_dry_run_says_so(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    worker_env.execute("DELETE FROM bar_minute")  # of which the environment makes its quotes
    worker_env.redis.flushdb()
    result = operator(*MARKET)
    assert (1, "") == (result.status, result.out)
    assert "no fresh quote of MNQ H26, so no entry is sent: `tickwork status` shows the feed" in result.error
    assert [] == worker_env.rows(ENTRIES)

    dry = operator(*MARKET, "--dry-run", "--json")
    assert (1, None) == (dry.status, dry.json["would_send"])
    assert f"no fresh quote of {MNQ}" in dry.json["postponed"]
    assert "It would not be sent now: no fresh quote" in operator(*MARKET, "--dry-run").words
    worker_env.execute("UPDATE contract SET is_tracked = root = 'MES'")
    told = "MNQ is not tracked, only MES: run `tickwork config set contracts MES,MNQ`, then `tickwork down`"
    assert told in operator(*MARKET).error
    assert f"no fresh quote of MNQ H26, so no entry is sent: {told}" in operator(*MARKET, "--dry-run").words


@pytest.mark.usefixtures("worker")
def test_without_a_quote_an_entry_that_only_closes_still_closes(operator: RunCommand, worker_env: WorkerEnv) -> None:
    assert 0 == operator(*MARKET).status
    worker_env.execute("DELETE FROM bar_minute")
    worker_env.redis.flushdb()

    assert 0 == operator("orders", "market", "MNQ", "sell", "1", "--stop", "400").status
    assert 0 == worker_env.venue.position(MNQ)


@pytest.mark.usefixtures("worker")
def test_a_resting_entry_is_a_success_however_short_the_wait(operator: RunCommand, worker_env: WorkerEnv) -> None:
    assert OrderType.LIMIT == enter_resting(operator, worker_env)["type"]
