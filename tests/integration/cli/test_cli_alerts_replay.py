"""`tickwork alerts replay`: the same body again, as a new alert of the same webhook."""

from datetime import timedelta
from uuid import UUID

import pytest

from shared.clock import machine_now
from shared.db.alerts import alert_history
from shared.domain.alerts.parse import parse_alert
from shared.ids import new_id
from tests.fixtures.alert_steps import list_verdicts, run_until
from tests.fixtures.operator import CommandResult, RunCommand, worker_at
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.cli.test_cli_alerts import SHORT_BODY, alert_of, refuse

ALERTS = "SELECT id, reason, verdict, sent_at FROM alert ORDER BY id"


@pytest.fixture
def filled(worker_env: WorkerEnv) -> UUID:
    """An alert that filled, with its sender's id and time."""
    alert_id = alert_of(worker_env, worker_env.entry_alert(id="once", timenow=machine_now().isoformat()))
    run_until(worker_env, 1)
    return alert_id


def replay(operator: RunCommand, worker_env: WorkerEnv, *words: str, typed: str | None = None) -> CommandResult:
    with worker_at(worker_env):
        return operator("alerts", "replay", *words, typed=typed)


def test_a_replay_trades_again_as_an_alert_of_its_own(
    operator: RunCommand, worker_env: WorkerEnv, filled: UUID
) -> None:
    result = replay(operator, worker_env, str(filled), "--yes", "--json")

    assert 0 == result.status, result
    assert 2 == worker_env.venue.position(MNQ)
    first, second = worker_env.rows(ALERTS)
    assert (filled, None, True) == (first[0], first[1], first[3] is not None)
    assert (f"replay of {filled} by hand", "accepted", None) == tuple(second[1:])
    assert (str(second[0]), str(filled)) == (result.json["alert_id"], result.json["replay_of"])
    correlations = worker_env.rows("SELECT correlation_id FROM job WHERE name = 'alerts.handle_alert'")
    assert 2 == len(set(correlations))
    newest = operator("alerts", "list", "--json").json["alerts"][0]
    assert (["FILLED"], f"replay of {filled} by hand") == (newest["orders"], newest["reason"])
    ((expires_in,),) = worker_env.rows(
        "SELECT extract(epoch FROM expires_at - enqueued_at)::int FROM job WHERE id = %s", result.json["job_id"]
    )
    assert 90 == expires_in


def test_a_stale_alert_trades_when_a_person_replays_it(operator: RunCommand, worker_env: WorkerEnv) -> None:
    alert_id = alert_of(worker_env, worker_env.entry_alert(timenow="2026-01-01T00:00:00Z"))
    run_until(worker_env, 0)
    assert "stale" in operator("alerts", "list", "--json").json["alerts"][0]["reason"]

    assert 0 == replay(operator, worker_env, str(alert_id), "--yes").status
    assert 1 == worker_env.venue.position(MNQ)


def test_a_replay_says_that_it_trades_now_and_asks(operator: RunCommand, worker_env: WorkerEnv, filled: UUID) -> None:
    no = replay(operator, worker_env, str(filled), typed="n\n")
    unasked = replay(operator, worker_env, str(filled))
    assert (1, 1, 1) == (no.status, unasked.status, len(worker_env.rows(ALERTS)))
    assert "This trades now: BUY 1 MNQ on account " in no.error
    assert "nothing was replayed" in no.error
    assert "There is no terminal to confirm at: add --yes" in unasked.error

    yes = replay(operator, worker_env, str(filled), typed="y\n")

    assert 0 == yes.status, yes
    assert "Replayed as alert" in yes.out
    assert "BUY 1 MNQ: accepted, job succeeded, signal accepted, order FILLED, submitted after " in yes.out
    assert 2 == worker_env.venue.position(MNQ)


def test_a_replayed_close_closes(operator: RunCommand, worker_env: WorkerEnv, filled: UUID) -> None:
    worker_env.critical_alert()
    run_until(worker_env, 0)
    closed = worker_env.rows("SELECT id FROM alert WHERE action = 'CLOSE'")[0][0]
    worker_env.entry_alert()
    run_until(worker_env, 1)

    assert 0 == replay(operator, worker_env, str(closed), "--yes").status
    run_until(worker_env, 0)
    assert filled < closed


@pytest.mark.parametrize(("column", "word"), [("removed_at", "removed"), ("paused_at", "paused")])
def test_an_alert_of_a_hook_that_takes_none_is_not_replayed(
    operator: RunCommand, worker_env: WorkerEnv, filled: UUID, column: str, word: str
) -> None:
    worker_env.execute(f"UPDATE hook SET {column} = now()")

    result = replay(operator, worker_env, str(filled), "--yes")

    assert (1, True) == (result.status, f"is {word}, so its alert {filled} is not replayed" in result.words)
    assert 1 == len(worker_env.rows(ALERTS))


def test_a_hook_that_was_paused_after_the_question_takes_no_replay(worker_env: WorkerEnv, filled: UUID) -> None:
    worker_env.execute("UPDATE hook SET paused_at = now()")

    with worker_env.ledger.engine.begin() as connection:
        (record,) = alert_history.list_by_ids(connection, [filled])
        alert = parse_alert(record.body)
        is_added = alert_history.add_replay(connection, filled, new_id(), alert, dialect="tickwork", job_id=new_id())

    assert not is_added
    assert 1 == len(worker_env.rows(ALERTS))


def test_an_alert_that_cannot_be_read_is_not_replayed(operator: RunCommand, worker_env: WorkerEnv) -> None:
    result = replay(operator, worker_env, str(refuse(worker_env, SHORT_BODY)), "--yes")

    assert (1, True) == (result.status, "cannot be traded: invalid quantity '0': expected a whole" in result.words)


def test_a_denied_replay_fails_with_the_reason(operator: RunCommand, worker_env: WorkerEnv, filled: UUID) -> None:
    worker_env.execute("UPDATE account SET halted_at = now(), halt_reason = 'a test'")

    result = replay(operator, worker_env, str(filled), "--yes")
    as_json = replay(operator, worker_env, str(filled), "--yes", "--json")

    assert (1, 1) == (result.status, as_json.status)
    assert "signal denied, order DENIED" in result.out
    assert "is halted: a test" in result.error
    newest = operator("alerts", "list", "--json").json["alerts"][0]
    assert (newest["id"], ["denied"], True) == (
        as_json.json["alert_id"],
        list_verdicts(as_json.json),
        "is halted: a test" in as_json.json["error"],
    )
    assert ["denied"] == list_verdicts(newest)
    assert newest["reason"].endswith(f"; replay of {filled} by hand")


def test_a_replay_that_goes_on_says_how_to_look_at_it_later(
    operator: RunCommand, worker_env: WorkerEnv, filled: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.client.job_client._CLAIM_TIMEOUT", timedelta(minutes=10))  # no worker of the command's own

    text, as_json = (
        operator("alerts", "replay", str(filled), "--yes", "--wait", "0.1", *more) for more in ((), ("--json",))
    )

    second, third = [row[0] for row in worker_env.rows(ALERTS)][1:]
    goes_on = "it has not ended within 0.1 s, and goes on: `tickwork alerts show {}` shows the outcome"
    assert (1, True) == (text.status, goes_on.format(second) in text.error)
    assert "cancel" not in text.words
    assert (1, str(third), "queued", goes_on.format(third)) == (
        as_json.status,
        as_json.json["alert_id"],
        as_json.json["job"],
        as_json.json["error"],
    )
