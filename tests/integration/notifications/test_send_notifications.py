"""Notifications: each event is told once by each channel that takes it, and late rather than never."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared import notifier
from shared.db.notifications import outbox
from shared.domain.notifications.channel import Channel
from shared.domain.notifications.kinds import Kind, Level
from shared.ledger.jobs.notifications import SendNotifications
from tests.fixtures.alert_steps import run_until
from tests.fixtures.feed_reports import report_feed
from tests.fixtures.message_service import TOKEN, MessageService
from tests.fixtures.operator import RunCommand
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from tests.fixtures.worker_processes import process
from tests.integration.cli.doctor_checks import check_with_doctor
from workers.wiring import open_runner

MANY = """
    INSERT INTO account_event (id, account_id, kind, message, happened_at)
    SELECT overlay(gen_random_uuid()::text PLACING 'ffff' FROM 1)::uuid, id, '%s', '%s ' || number, now()
    FROM account, generate_series(1, %s) AS number
"""


@pytest.fixture
def service() -> Iterator[MessageService]:
    found = MessageService()
    yield found
    found.close()


@pytest.fixture
def watched(worker_env: WorkerEnv) -> WorkerEnv:
    """A stack whose risk monitor and feed work, and whose events until now were looked through."""
    worker_env.execute(
        "INSERT INTO risk_monitor (host, pid, active_since_at, ran_at, run_count, last_delay, p50_delay, max_delay)"
        " VALUES ('here', 1, now(), now() + interval '1 hour', 1, '0', '0', '0')"
    )
    report_feed(worker_env, is_subscribed=True)
    send(worker_env)
    return worker_env


def send(env: WorkerEnv, *channels: Channel) -> tuple[str, Any, str | None]:
    """Run the job with these channels, and return its state, result and error."""
    report_feed(env, is_subscribed=True)
    return run_job(env, *channels)


def run_job(env: WorkerEnv, *channels: Channel) -> tuple[str, Any, str | None]:
    own = replace(env.settings, notify_channels=channels)
    with open_runner(own, process("notify/1"), program="test") as runner:
        job_id = env.enqueue(SendNotifications())
        runner.run(job_id)
    return env.job(job_id)


def channel(service: MessageService, name: str = "phone", **options: Any) -> Channel:
    return Channel(name=name, url=service.url, **options)


def test_fills_denials_and_halts_are_told_once(watched: WorkerEnv, service: MessageService) -> None:
    report_feed(watched, is_subscribed=False)  # the fills are polled
    watched.entry_alert(quantity=2)
    run_until(watched, 2)
    watched.execute("""UPDATE account SET rule_changes = '{"risk_per_trade": "1"}'""")
    watched.entry_alert()
    watched.run_due_jobs()
    watched.execute(MANY % ("halted", "a test", 1))

    assert "succeeded" == send(watched, channel(service))[0]
    titles = dict(service.take())
    assert "BUY 2 MNQH6 at " in titles["Tickwork (simulator): fill"]
    assert "denied: " in titles["Tickwork (simulator): WARNING: denied entry"]
    assert "halted: a test 1" in titles["Tickwork (simulator): CRITICAL: account event"]
    assert 3 == len(titles)

    assert "succeeded" == send(watched, channel(service))[0]
    assert [] == service.take()


def test_a_channel_is_told_of_what_follows_after_it_was_added(watched: WorkerEnv, service: MessageService) -> None:
    watched.execute(MANY % ("halted", "before", 1))
    send(watched)
    watched.execute("UPDATE account_event SET happened_at = happened_at - interval '5 minutes'")
    watched.execute(MANY % ("resumed", "after", 1))
    send(watched, channel(service))

    ((_, text),) = service.take()
    assert "resumed: after 1" in text


def test_each_channel_is_told_of_what_it_takes(watched: WorkerEnv, service: MessageService) -> None:
    other = MessageService()
    watched.execute(MANY % ("halted", "one", 1) + ";" + MANY % ("resumed", "two", 1))
    send(
        watched,
        channel(service, level=Level.CRITICAL),
        Channel(name="office", url=other.url, kinds=(Kind.FILL,)),
    )
    other.close()

    ((_, text),) = service.take()
    assert "halted: one 1" in text
    assert [] == other.take()


def test_what_a_service_does_not_take_is_sent_later_and_doctor_says_why_without_the_url(
    watched: WorkerEnv, service: MessageService, operator: RunCommand, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    service.status = 503
    watched.execute(MANY % ("halted", "one", 1))
    state, _, error = send(watched, channel(service))

    assert ("failed", True) == (state, "channel phone: JSON did not take it" in str(error))
    found = check_with_doctor(operator, watched, "notifications")
    assert ("warning", True) == (found["state"], "channel phone" in found["detail"])
    ((waits, told),) = watched.rows("SELECT next_attempt_at > now(), error FROM notification_delivery")
    assert waits
    assert TOKEN not in "".join([caplog.text, str(error), told, found["detail"]])
    send(watched, channel(service))
    assert [] == service.take(), "it is not tried again at once"

    service.status = 200
    watched.execute("UPDATE notification_delivery SET next_attempt_at = now()")
    assert "succeeded" == send(watched, channel(service))[0]
    assert 1 == len(service.take())
    assert [(True, None)] == watched.rows("SELECT sent_at IS NOT NULL, error FROM notification_delivery")


def test_what_no_service_takes_for_a_day_is_given_up(watched: WorkerEnv, service: MessageService) -> None:
    service.status = 503
    watched.execute(MANY % ("halted", "one", 1))
    send(watched, channel(service))
    given_up = "SELECT given_up_at IS NOT NULL FROM notification_delivery"
    for first_attempt, attempts, expected in (("-1 hour", 99, False), ("-25 hours", 3, False), ("-25 hours", 10, True)):
        watched.execute(
            f"UPDATE notification_delivery SET next_attempt_at = now(), attempt_count = {attempts},"
            f" first_attempt_at = now() + interval '{first_attempt}'"
        )
        send(watched, channel(service))
        assert [(expected,)] == watched.rows(given_up)


def test_what_waited_through_a_long_sleep_is_not_given_up_at_the_first_try(
    watched: WorkerEnv, service: MessageService
) -> None:
    service.status = 503
    watched.execute(MANY % ("halted", "one", 1))
    send(watched, channel(service))
    watched.execute(
        "UPDATE notification SET collected_at = now() - interval '3 days';"
        " UPDATE notification_delivery SET next_attempt_at = now(), first_attempt_at = NULL, attempt_count = 0"
    )
    send(watched, channel(service))
    service.status = 200
    watched.execute("UPDATE notification_delivery SET next_attempt_at = now()")
    send(watched, channel(service))

    assert 1 == len(service.take())


def test_doctor_names_a_dead_channel_also_while_it_is_not_tried(
    watched: WorkerEnv, service: MessageService, operator: RunCommand
) -> None:
    service.status = 401
    watched.execute(MANY % ("halted", "one", 1))
    send(watched, channel(service))
    assert "succeeded" == send(watched, channel(service))[0], "nothing is due"

    found = check_with_doctor(operator, watched, "notifications")
    assert ("warning", True) == (found["state"], "channel phone: JSON did not take it" in found["detail"])


def test_a_message_that_is_refused_holds_up_no_other(watched: WorkerEnv, service: MessageService) -> None:
    service.refuses = "halted: bad 1"
    watched.execute(MANY % ("halted", "bad", 1) + ";" + MANY % ("halted", "good", 2))
    assert "failed" == send(watched, channel(service))[0]

    assert 2 == len(service.take())
    assert [(1, 2)] == watched.rows("SELECT count(error), count(sent_at) FROM notification_delivery")


def test_an_order_that_is_rejected_hours_after_it_was_made_is_told(watched: WorkerEnv, service: MessageService) -> None:
    watched.execute(
        "INSERT INTO orders (id, account_id, contract_id, role, side, type, quantity, stop_price, state, origin,"
        " correlation_id, reason, created_at, updated_at)"
        " SELECT gen_random_uuid(), account.id, contract.id, 'STOP_LOSS', 'SELL', 'STOP', 1, 20000, 'REJECTED',"
        " 'protector', gen_random_uuid(), 'no', now() - interval '3 hours', now()"
        f" FROM account, contract WHERE contract.id = '{MNQ}'"
    )
    send(watched, channel(service))

    ((title, text),) = service.take()
    assert "Tickwork (simulator): CRITICAL: rejected order" == title
    assert "stop loss SELL 1 MNQH6 on PRAC-1848 rejected: no" in text


def test_a_job_that_dies_again_is_told_again(watched: WorkerEnv, service: MessageService) -> None:
    watched.execute(
        "UPDATE job SET state = 'dead', error = 'why', finished_at = now() WHERE id = (SELECT id FROM job LIMIT 1)"
    )
    send(watched, channel(service))
    send(watched, channel(service))
    assert 1 == len(service.take())
    watched.execute("UPDATE job SET finished_at = now() WHERE state = 'dead'")
    send(watched, channel(service))

    assert 1 == len(service.take())


def test_a_text_of_others_mentions_no_one(watched: WorkerEnv, service: MessageService) -> None:
    watched.execute(MANY % ("halted", "@everyone", 1))
    send(watched, channel(service))

    ((_, text),) = service.take()
    assert "@everyone" not in text
    assert "everyone 1" in text


def test_a_service_that_never_ends_its_answer_counts_as_one_that_refuses(
    watched: WorkerEnv, service: MessageService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifier, "_ANSWERS_WITHIN_S", 0.5)
    service.holds = True
    watched.execute(MANY % ("halted", "one", 1))
    state, _, error = send(watched, channel(service))
    service.holds = False

    assert ("failed", True) == (state, "no answer within" in str(error))


@pytest.mark.parametrize(
    ("kind", "level"),
    [("alerts_not_stored", "CRITICAL: "), ("never_heard_of", "CRITICAL: "), ("disk_low", "WARNING: "), ("live_on", "")],
)
def test_a_kind_of_event_that_is_not_known_to_be_harmless_is_critical(
    watched: WorkerEnv, service: MessageService, kind: str, level: str
) -> None:
    watched.execute(MANY % (kind, "one", 1))
    send(watched, channel(service))

    assert [f"Tickwork (simulator): {level}account event"] == [title for title, _ in service.take()]


def test_of_ten_thousand_the_important_ones_come_first_and_none_is_lost(
    watched: WorkerEnv, service: MessageService
) -> None:
    watched.execute(MANY % ("resumed", "no news", 9_998) + ";" + MANY % ("halted", "now", 2))
    assert ("succeeded", {"notifications": 10_000}) == send(watched, channel(service))[:2]

    messages = service.take()
    assert 3 == len(messages)
    assert {"halted: now 1", "halted: now 2"} == {text.split(": ", 1)[1] for _, text in messages[:2]}
    assert "Tickwork (simulator): 9,998 account events" == messages[2][0]
    assert [(10_000, 10_000)] == watched.rows("SELECT count(*), count(sent_at) FROM notification_delivery")


def test_in_quiet_hours_only_what_is_critical_is_sent_and_the_rest_follows(
    watched: WorkerEnv, service: MessageService
) -> None:
    now = datetime.now(UTC)
    quiet = f"{now - timedelta(hours=1):%H:%M}-{now + timedelta(hours=1):%H:%M}"
    watched.execute(MANY % ("halted", "one", 1) + ";" + MANY % ("resumed", "two", 1))
    send(watched, channel(service, quiet=quiet, zone="UTC"))
    assert ["halted: one 1"] == [text.split(": ", 1)[1] for _, text in service.take()]

    send(watched, channel(service))
    assert ["resumed: two 1"] == [text.split(": ", 1)[1] for _, text in service.take()]


def test_what_a_killed_run_had_taken_is_sent_by_a_later_one(watched: WorkerEnv, service: MessageService) -> None:
    watched.execute(MANY % ("halted", "one", 1))
    service.status = 503
    send(watched, channel(service))
    service.status = 200
    watched.execute(
        "UPDATE notification_delivery SET attempt_count = 0, next_attempt_at = now() + interval '5 minutes'"
    )
    send(watched, channel(service))
    assert [] == service.take()
    watched.execute("UPDATE notification_delivery SET next_attempt_at = now()")
    send(watched, channel(service))

    assert 1 == len(service.take())


def test_what_one_run_has_taken_no_other_takes(watched: WorkerEnv, service: MessageService) -> None:
    watched.execute(MANY % ("halted", "one", 4))
    service.status = 503
    send(watched, channel(service))
    watched.execute("UPDATE notification_delivery SET next_attempt_at = now()")
    with watched.ledger.engine.begin() as one, watched.ledger.engine.begin() as other:
        assert 4 == len(outbox.take(one, "phone", only_critical=False))
        assert [] == outbox.take(other, "phone", only_critical=False)
    with watched.ledger.engine.begin() as later:
        assert [] == outbox.take(later, "phone", only_critical=False)


def test_a_feed_that_is_gone_for_ten_seconds_is_told_once_and_that_it_is_back(
    watched: WorkerEnv, service: MessageService
) -> None:
    report_feed(watched, is_subscribed=False)
    run_job(watched, channel(service))
    assert [] == service.take(), "a subscription that is renewed is gone for less"
    watched.execute("UPDATE watched_fault SET since_at = since_at - interval '10 seconds'")
    for _ in range(2):
        report_feed(watched, is_subscribed=False)
        run_job(watched, channel(service))
    ((title, text),) = service.take()
    assert ("Tickwork (simulator): CRITICAL: program that watches", True) == (
        title,
        "the feed is not subscribed" in text,
    )

    send(watched, channel(service))
    ((_, text),) = service.take()
    assert "the feed is subscribed again" in text


def test_a_risk_monitor_that_stops_is_told(watched: WorkerEnv, service: MessageService) -> None:
    watched.execute("UPDATE risk_monitor SET ran_at = now() - interval '11 seconds'")
    send(watched, channel(service))
    watched.execute("UPDATE watched_fault SET since_at = since_at - interval '10 seconds'")
    send(watched, channel(service))

    ((_, text),) = service.take()
    assert "the risk monitor does not run" in text


def test_a_warning_of_a_rule_is_told_once_a_day(watched: WorkerEnv, service: MessageService) -> None:
    watched.execute(
        """UPDATE account SET rule_changes = '{"daily_loss_limit": "1000"}', balance = day_opening_balance - 600"""
    )
    for _ in range(2):
        send(watched, channel(service))

    ((title, text),) = service.take()
    assert "Tickwork (simulator): WARNING: warning of a rule" == title
    assert "loss limit" in text


def test_what_waits_for_a_channel_that_was_removed_is_given_up(watched: WorkerEnv, service: MessageService) -> None:
    service.status = 503
    watched.execute(MANY % ("halted", "one", 1))
    send(watched, channel(service))
    send(watched, channel(service, name="other"))

    assert [("its channel was removed",)] == watched.rows(
        "SELECT error FROM notification_delivery WHERE channel = 'phone' AND given_up_at IS NOT NULL"
    )


def test_the_result_of_a_day_that_has_ended_is_told(watched: WorkerEnv, service: MessageService) -> None:
    watched.execute(
        "INSERT INTO account_day (account_id, trading_day, opening_balance, closing_balance)"
        " SELECT id, '2026-01-05', 50000, 50120.50 FROM account"
    )
    send(watched, channel(service))

    ((title, text),) = service.take()
    assert ("Tickwork (simulator): summary", True) == (title, "on 2026-01-05: net 0" in text)
    assert "balance 50120.50" in text
