"""Every 202 is one job and one alert, while Redis is frozen, Postgres restarts and the receiver is killed."""

import signal
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from shared.clock import machine_now
from tests.fixtures.alert_storm import AlertStorm
from tests.fixtures.chaos_form import IS_LONG
from tests.fixtures.figures import percentile
from tests.fixtures.killable_stack import KillableStack
from tests.fixtures.receiver_process import ReceiverProcess
from web.receiver.deadline import TIMEOUT_S

ALERTS, PER_SECOND = (5000, 500) if IS_LONG else (500, 250)
FREEZE_S = 10.0 if IS_LONG else 3.0
POSTGRES_AWAY_S = 3.0 if IS_LONG else 0.5
FREEZE_AFTER, KILL_AFTER, RESTART_AFTER = 0.1, 0.2, 0.5  # of the alerts

JOBS = "SELECT id::text, arguments->>'alert_id' FROM job WHERE name = 'alerts.handle_alert'"
ALERT_ROWS = "SELECT external_id, id::text, job_id::text, verdict FROM alert"


@pytest.fixture
def receiver(killable_stack: KillableStack, tmp_path: Path) -> Iterator[ReceiverProcess]:
    """A receiver with its own deadlines, on servers that the test may stop."""
    url, broker = killable_stack.ledger_env.database_url, killable_stack.broker.url
    receiver = ReceiverProcess(url, broker, tmp_path / "receiver.log", timeout_s=TIMEOUT_S)
    yield receiver
    receiver.stop()


@pytest.mark.chaos
@pytest.mark.timeout(600)
def test_every_202_has_one_job_whatever_fails_and_every_other_answer_none_or_that_of_a_later_202(
    killable_stack: KillableStack, receiver: ReceiverProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    storm = AlertStorm(receiver, ALERTS, PER_SECOND)
    redis = killable_stack.broker_server.process
    assert redis is not None
    began = machine_now()
    storm.start()

    wait_for_share(killable_stack, storm, FREEZE_AFTER)
    redis.send_signal(signal.SIGSTOP)
    killable_stack.schedule(FREEZE_S, lambda: redis.send_signal(signal.SIGCONT))
    wait_for_share(killable_stack, storm, KILL_AFTER)
    receiver.kill()
    receiver.start_again()
    known = len(storm.accepted())
    killable_stack.until(lambda: len(storm.accepted()) > known, 60, "an alert accepted by the second receiver")
    wait_for_share(killable_stack, storm, RESTART_AFTER)
    killable_stack.kill_for(killable_stack.postgres, POSTGRES_AWAY_S)
    killable_stack.until(lambda: any(one.is_spooled for one in storm.answers), 60, "an alert in the spool")
    receiver.kill()  # what it has spooled is left to the next one
    receiver.start_again()
    killable_stack.until(lambda: storm.is_over, 300, "an answer to every alert")
    killable_stack.settle()
    killable_stack.until(lambda: not list((receiver.home / "spool").iterdir()), 60, "an empty spool")

    jobs, rows = dict(receiver.rows(JOBS)), receiver.rows(ALERT_ROWS)
    with capsys.disabled():
        report(storm, (machine_now() - began).total_seconds(), len(jobs))
    assert {"accepted"} == {verdict for *_, verdict in rows}
    assert jobs == {job_id: alert_id for _, alert_id, job_id, _ in rows}  # one alert of each job
    by_number = {external_id: job_id for external_id, _, job_id, _ in rows}
    assert len(by_number) == len(rows)  # one job of each number, whether its sender had an answer or not
    assert names(range(ALERTS)) == set(by_number)  # each was accepted in the end, as its sender sent it again
    for one in storm.answers:
        if one.status == 202 and not one.is_spooled:
            assert one.job_id == by_number[f"number {one.number}"]
        # The job that a spooled alert names is none where an earlier delivery, whose answer was lost, is stored.
        elif one.status == 202:
            assert jobs.keys() & {one.job_id} <= {by_number[f"number {one.number}"]}


def names(numbers: Iterable[int]) -> set[str]:
    return {f"number {number}" for number in numbers}


def wait_for_share(killable_stack: KillableStack, storm: AlertStorm, share: float) -> None:
    killable_stack.until(lambda: storm.sent_count >= share * ALERTS, 300, f"{share:.0%} of the alerts")


def report(storm: AlertStorm, seconds: float, job_count: int) -> None:
    statuses = Counter(one.status for one in storm.answers)
    spooled = sum(one.is_spooled for one in storm.answers)
    duplicates = sum(one.is_duplicate for one in storm.answers)
    waits = [one.seconds * 1000 for one in storm.answers if one.status == 202]
    print(f"\n{ALERTS} alerts at {PER_SECOND}/s, over after {seconds:.1f} s; Redis frozen for {FREEZE_S:g} s")
    print(f"answers {dict(statuses)} (0: none), {spooled} spooled, {duplicates} duplicates; {job_count} jobs")
    print(f"POST to 202: p50 {percentile(waits, 50):.1f} ms, p99 {percentile(waits, 99):.1f} ms")
