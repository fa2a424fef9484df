"""Notifications: each event is told once by each channel that takes it, and late rather than never."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.db.accounts.audit import Actor, record_act
from shared.domain.notifications.channel import Channel
from shared.domain.notifications.kinds import Kind, Level
from tests.fixtures.alert_steps import run_until
from tests.fixtures.feed_reports import report_feed
from tests.fixtures.message_service import MessageService
from tests.fixtures.notifying import MANY, channel, run_job, send
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv


def test_fills_denials_and_halts_are_told_once(watched: WorkerEnv, inbox: MessageService) -> None:
    report_feed(watched, is_subscribed=False)  # the fills are polled
    watched.entry_alert(quantity=2)
    run_until(watched, 2)
    watched.execute("""UPDATE account SET rule_changes = '{"risk_per_trade": "1"}'""")
    watched.entry_alert()
    watched.run_due_jobs()
    watched.execute(MANY % ("halted", "a test", 1))

    assert "succeeded" == send(watched, channel(inbox))[0]
    titles = dict(inbox.take())
    assert "BUY 2 MNQH6 at " in titles["Tickwork (simulator): fill"]
    assert "denied: " in titles["Tickwork (simulator): WARNING: denied entry"]
    assert "halted: a test 1" in titles["Tickwork (simulator): CRITICAL: account event"]
    assert 3 == len(titles)

    assert "succeeded" == send(watched, channel(inbox))[0]
    assert [] == inbox.take()


def test_a_first_channel_is_told_of_what_follows_and_not_of_what_was_a_moment_before(
    watched: WorkerEnv, inbox: MessageService
) -> None:
    watched.execute(MANY % ("halted", "before", 1))
    send(watched)
    watched.execute(MANY % ("halted", "while no stack ran", 1))
    send(watched, channel(inbox))
    assert [] == inbox.take()
    watched.execute(MANY % ("resumed", "after", 1))
    send(watched, channel(inbox))

    ((_, text),) = inbox.take()
    assert "resumed: after 1" in text


def test_after_the_clock_was_set_back_a_channel_is_told_of_what_follows(
    watched: WorkerEnv, inbox: MessageService
) -> None:
    watched.execute("UPDATE notification_progress SET began_at = began_at + interval '90 min'")
    watched.execute("UPDATE notification_progress SET collected_until_at = began_at")
    send(watched, channel(inbox))
    watched.execute(MANY % ("halted", "after", 1))
    send(watched, channel(inbox))

    ((_, text),) = inbox.take()
    assert "halted: after 1" in text


def test_each_channel_is_told_of_what_it_takes(watched: WorkerEnv, inbox: MessageService) -> None:
    other = MessageService()
    watched.execute(MANY % ("halted", "one", 1) + ";" + MANY % ("resumed", "two", 1))
    send(
        watched,
        channel(inbox, level=Level.CRITICAL),
        Channel(name="office", url=other.url, kinds=(Kind.FILL,)),
    )
    other.close()

    ((_, text),) = inbox.take()
    assert "halted: one 1" in text
    assert [] == other.take()


def test_an_order_that_is_rejected_hours_after_it_was_made_is_told(watched: WorkerEnv, inbox: MessageService) -> None:
    watched.execute(
        "INSERT INTO orders (id, account_id, contract_id, role, side, type, quantity, stop_price, state, origin,"
        " correlation_id, reason, created_at, updated_at)"
        " SELECT gen_random_uuid(), account.id, contract.id, 'STOP_LOSS', 'SELL', 'STOP', 1, 20000, 'REJECTED',"
        " 'protector', gen_random_uuid(), 'no', now() - interval '3 hours', now()"
        f" FROM account, contract WHERE contract.id = '{MNQ}'"
    )
    send(watched, channel(inbox))

    ((title, text),) = inbox.take()
    assert "Tickwork (simulator): CRITICAL: rejected order" == title
    assert "stop loss SELL 1 MNQH6 on PRAC-1848 rejected: no" in text


def test_a_job_that_dies_again_is_told_again(watched: WorkerEnv, inbox: MessageService) -> None:
    watched.execute(
        "UPDATE job SET state = 'dead', error = 'why', finished_at = now() WHERE id = (SELECT id FROM job LIMIT 1)"
    )
    send(watched, channel(inbox))
    send(watched, channel(inbox))
    assert 1 == len(inbox.take())
    watched.execute("UPDATE job SET finished_at = now() WHERE state = 'dead'")
    send(watched, channel(inbox))

    assert 1 == len(inbox.take())


def test_a_text_of_others_mentions_no_one(watched: WorkerEnv, inbox: MessageService) -> None:
    watched.execute(MANY % ("halted", "@everyone", 1))
    send(watched, channel(inbox))

    ((_, text),) = inbox.take()
    assert "@everyone" not in text
    assert "everyone 1" in text


@pytest.mark.parametrize(
    ("kind", "level"),
    [("alerts_not_stored", "CRITICAL: "), ("never_heard_of", "CRITICAL: "), ("disk_low", "WARNING: "), ("live_on", "")],
)
def test_a_kind_of_event_that_is_not_known_to_be_harmless_is_critical(
    watched: WorkerEnv, inbox: MessageService, kind: str, level: str
) -> None:
    watched.execute(MANY % (kind, "one", 1))
    send(watched, channel(inbox))

    assert [f"Tickwork (simulator): {level}account event"] == [title for title, _ in inbox.take()]


def test_of_ten_thousand_the_important_ones_come_first_and_none_is_lost(
    watched: WorkerEnv, inbox: MessageService
) -> None:
    watched.execute(MANY % ("resumed", "no news", 9_998) + ";" + MANY % ("halted", "now", 2))
    assert ("succeeded", {"notifications": 10_000}) == send(watched, channel(inbox))[:2]

    messages = inbox.take()
    assert 3 == len(messages)
    assert {"halted: now 1", "halted: now 2"} == {text.split(": ", 1)[1] for _, text in messages[:2]}
    assert "Tickwork (simulator): 9,998 account events" == messages[2][0]
    assert [(10_000, 10_000)] == watched.rows("SELECT count(*), count(sent_at) FROM notification_delivery")


def test_in_quiet_hours_only_what_is_critical_is_sent_and_the_rest_follows(
    watched: WorkerEnv, inbox: MessageService
) -> None:
    now = datetime.now(UTC)
    quiet = f"{now - timedelta(hours=1):%H:%M}-{now + timedelta(hours=1):%H:%M}"
    watched.execute(MANY % ("halted", "one", 1) + ";" + MANY % ("resumed", "two", 1))
    send(watched, channel(inbox, quiet=quiet, zone="UTC"))
    assert ["halted: one 1"] == [text.split(": ", 1)[1] for _, text in inbox.take()]

    send(watched, channel(inbox))
    assert ["resumed: two 1"] == [text.split(": ", 1)[1] for _, text in inbox.take()]


def test_a_feed_that_is_gone_for_ten_seconds_is_told_once_and_that_it_is_back(
    watched: WorkerEnv, inbox: MessageService
) -> None:
    report_feed(watched, is_subscribed=False)
    run_job(watched, channel(inbox))
    assert [] == inbox.take(), "a subscription that is renewed is gone for less"
    watched.execute("UPDATE watched_fault SET since_at = since_at - interval '10 seconds'")
    for _ in range(2):
        report_feed(watched, is_subscribed=False)
        run_job(watched, channel(inbox))
    ((title, text),) = inbox.take()
    assert ("Tickwork (simulator): CRITICAL: program that watches", True) == (
        title,
        "the feed is not subscribed" in text,
    )

    send(watched, channel(inbox))
    ((_, text),) = inbox.take()
    assert "the feed is subscribed again" in text


def test_a_feed_that_was_gone_before_the_clock_was_set_back_is_told(watched: WorkerEnv, inbox: MessageService) -> None:
    for _ in range(2):
        report_feed(watched, is_subscribed=False)
        run_job(watched, channel(inbox))
        watched.execute("UPDATE watched_fault SET since_at = now() + interval '90 minutes'")

    ((_, text),) = inbox.take()
    assert "the feed is not subscribed" in text


def test_a_risk_monitor_that_stops_is_told(watched: WorkerEnv, inbox: MessageService) -> None:
    watched.execute("UPDATE risk_monitor SET ran_at = now() - interval '11 seconds'")
    send(watched, channel(inbox))
    watched.execute("UPDATE watched_fault SET since_at = since_at - interval '10 seconds'")
    send(watched, channel(inbox))

    ((_, text),) = inbox.take()
    assert "the risk monitor does not run" in text


def test_a_warning_of_a_rule_is_told_once_a_day(watched: WorkerEnv, inbox: MessageService) -> None:
    watched.execute(
        """UPDATE account SET rule_changes = '{"daily_loss_limit": "1000"}', balance = day_opening_balance - 600"""
    )
    for _ in range(2):
        send(watched, channel(inbox))

    ((title, text),) = inbox.take()
    assert "Tickwork (simulator): WARNING: warning of a rule" == title
    assert "loss limit" in text


def test_the_result_of_a_day_that_has_ended_is_told(watched: WorkerEnv, inbox: MessageService) -> None:
    watched.execute(
        "INSERT INTO account_day (account_id, trading_day, opening_balance, closing_balance)"
        " SELECT id, '2026-01-05', 50000, 50120.50 FROM account"
    )
    send(watched, channel(inbox))

    ((title, text),) = inbox.take()
    assert ("Tickwork (simulator): summary", True) == (title, "on 2026-01-05: net 0" in text)
    assert "balance 50120.50" in text


def test_a_paired_phone_and_a_lock_after_wrong_codes_are_told(watched: WorkerEnv, inbox: MessageService) -> None:
    acts = [("telegram_pair", {"telegram_id": 41}), ("telegram_lock", {"wrong_codes": 5}), ("telegram_add", {})]
    with watched.ledger.engine.begin() as connection:
        for act, after in acts:
            actor = Actor("telegram:anna", "Telegram account 41")
            record_act(connection, actor, act, None, before={}, after=after, reason=None)
    for _ in range(2):
        send(watched, channel(inbox))
    told = " ".join(" ".join(parts) for parts in inbox.take())

    assert 1 == told.count("telegram:anna is locked after 5 wrong codes")
    assert 1 == told.count("telegram:anna may send commands: paired with account 41")
    assert "CRITICAL" in told
    assert "telegram_add" not in told
