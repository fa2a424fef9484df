"""Channels that take nothing, or late: what waits is sent later, once, and shows no secret."""

import logging

import pytest

from shared import notifier
from shared.db.notifications import outbox
from shared.domain.notifications.channel import format_channels
from tests.fixtures.message_service import TOKEN, MessageService
from tests.fixtures.notifying import MANY, channel, send
from tests.fixtures.operator import RunCommand
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.cli.doctor_checks import check_with_doctor, run_doctor


def test_what_a_service_does_not_take_is_sent_later_and_doctor_says_why_without_the_url(
    watched: WorkerEnv, inbox: MessageService, operator: RunCommand, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    inbox.status = 503
    watched.execute(MANY % ("halted", "one", 1))
    state, _, error = send(watched, channel(inbox))

    assert ("failed", True) == (state, "channel phone: JSON did not take it" in str(error))
    found = run_doctor(operator, watched, TICKWORK_NOTIFY_CHANNELS=format_channels((channel(inbox),)))["notifications"]
    assert ("warning", True) == (found["state"], "channel phone" in found["detail"])
    ((waits, told),) = watched.rows("SELECT next_attempt_at > now(), error FROM notification_delivery")
    assert waits
    assert TOKEN not in "".join([caplog.text, str(error), told, found["detail"]])
    send(watched, channel(inbox))
    assert [] == inbox.take(), "it is not tried again at once"

    inbox.status = 200
    watched.execute("UPDATE notification_delivery SET next_attempt_at = now()")
    assert "succeeded" == send(watched, channel(inbox))[0]
    assert 1 == len(inbox.take())
    assert [(True, None)] == watched.rows("SELECT sent_at IS NOT NULL, error FROM notification_delivery")


def test_what_no_service_takes_for_a_day_is_given_up(watched: WorkerEnv, inbox: MessageService) -> None:
    inbox.status = 503
    watched.execute(MANY % ("halted", "one", 1))
    send(watched, channel(inbox))
    given_up = "SELECT given_up_at IS NOT NULL FROM notification_delivery"
    for first_attempt, attempts, expected in (("-1 hour", 99, False), ("-25 hours", 3, False), ("-25 hours", 10, True)):
        watched.execute(
            f"UPDATE notification_delivery SET next_attempt_at = now(), attempt_count = {attempts},"
            f" first_attempt_at = now() + interval '{first_attempt}'"
        )
        send(watched, channel(inbox))
        assert [(expected,)] == watched.rows(given_up)


def test_what_waited_through_a_long_sleep_is_not_given_up_at_the_first_try(
    watched: WorkerEnv, inbox: MessageService
) -> None:
    inbox.status = 503
    watched.execute(MANY % ("halted", "one", 1))
    send(watched, channel(inbox))
    watched.execute(
        "UPDATE notification SET collected_at = now() - interval '3 days';"
        " UPDATE notification_delivery SET next_attempt_at = now(), first_attempt_at = NULL, attempt_count = 0"
    )
    send(watched, channel(inbox))
    inbox.status = 200
    watched.execute("UPDATE notification_delivery SET next_attempt_at = now()")
    send(watched, channel(inbox))

    assert 1 == len(inbox.take())


def test_doctor_names_a_dead_channel_also_while_it_is_not_tried(
    watched: WorkerEnv, inbox: MessageService, operator: RunCommand
) -> None:
    inbox.status = 401
    watched.execute(MANY % ("halted", "one", 1))
    send(watched, channel(inbox))
    assert "succeeded" == send(watched, channel(inbox))[0], "nothing is due"

    found = run_doctor(operator, watched, TICKWORK_NOTIFY_CHANNELS=format_channels((channel(inbox),)))["notifications"]
    assert ("warning", True) == (found["state"], "channel phone: JSON did not take it" in found["detail"])


def test_doctor_names_channels_that_the_running_stack_does_not_know_of(
    watched: WorkerEnv, inbox: MessageService, operator: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no channel is set" in check_with_doctor(operator, watched, "notifications")["detail"]
    monkeypatch.setenv("TICKWORK_NOTIFY_CHANNELS", format_channels((channel(inbox),)))
    found = run_doctor(operator, watched, TICKWORK_NOTIFY_CHANNELS="")["notifications"]

    assert "warning" == found["state"]
    assert "the channels are phone now, and the running stack does not know that" in found["detail"]


def test_a_message_that_is_refused_holds_up_no_other(watched: WorkerEnv, inbox: MessageService) -> None:
    inbox.refuses = "halted: bad 1"
    watched.execute(MANY % ("halted", "bad", 1) + ";" + MANY % ("halted", "good", 2))
    assert "failed" == send(watched, channel(inbox))[0]

    assert 2 == len(inbox.take())
    assert [(1, 2)] == watched.rows("SELECT count(error), count(sent_at) FROM notification_delivery")


def test_a_service_that_never_ends_its_answer_counts_as_one_that_refuses(
    watched: WorkerEnv,
    inbox: MessageService,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(notifier, "_ANSWERS_WITHIN_S", 0.5)
    caplog.set_level(logging.INFO)
    inbox.holds = True
    watched.execute(MANY % ("halted", "one", 1))
    state, _, error = send(watched, channel(inbox))
    is_logged = logging.getLogger(__name__).isEnabledFor(logging.INFO)
    inbox.holds = False

    assert ("failed", True) == (state, "no answer within" in str(error))
    assert is_logged, "the thread that still waits keeps no other from being logged"


def test_what_a_killed_run_had_taken_is_sent_by_a_later_one(watched: WorkerEnv, inbox: MessageService) -> None:
    watched.execute(MANY % ("halted", "one", 1))
    inbox.status = 503
    send(watched, channel(inbox))
    inbox.status = 200
    watched.execute(
        "UPDATE notification_delivery SET attempt_count = 0, next_attempt_at = now() + interval '5 minutes'"
    )
    send(watched, channel(inbox))
    assert [] == inbox.take()
    watched.execute("UPDATE notification_delivery SET next_attempt_at = now()")
    send(watched, channel(inbox))

    assert 1 == len(inbox.take())


def test_what_one_run_has_taken_no_other_takes(watched: WorkerEnv, inbox: MessageService) -> None:
    watched.execute(MANY % ("halted", "one", 4))
    inbox.status = 503
    send(watched, channel(inbox))
    watched.execute("UPDATE notification_delivery SET next_attempt_at = now()")
    with watched.ledger.engine.begin() as one, watched.ledger.engine.begin() as other:
        assert 4 == len(outbox.take(one, "phone", only_critical=False))
        assert [] == outbox.take(other, "phone", only_critical=False)
    with watched.ledger.engine.begin() as later:
        assert [] == outbox.take(later, "phone", only_critical=False)


@pytest.mark.parametrize("left", [["other"], []], ids=["another is left", "none is left"])
def test_what_waits_for_a_channel_that_was_removed_is_given_up(
    watched: WorkerEnv, inbox: MessageService, left: list[str]
) -> None:
    inbox.status = 503
    watched.execute(MANY % ("halted", "one", 1))
    send(watched, channel(inbox))
    send(watched, *(channel(inbox, name=name) for name in left))

    assert [("its channel was removed",)] == watched.rows(
        "SELECT error FROM notification_delivery WHERE channel = 'phone' AND given_up_at IS NOT NULL"
    )
    inbox.status = 200
    inbox.take()
    watched.execute("UPDATE notification_delivery SET next_attempt_at = now()")
    send(watched, channel(inbox))
    assert [] == inbox.take(), "it is not told when a channel of that name is added again"
