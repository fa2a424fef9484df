"""The bot through failures: of Telegram, of its network, of Postgres, and of itself; a command happens once."""

import json
import logging
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fixtures.forked import ForkedProgram
from tests.fixtures.program_env import make_program_env
from tests.fixtures.stack import eventually
from tests.fixtures.telegram_bot import Person, running_bot
from tests.fixtures.telegram_service import HALF, TOKEN, TelegramService
from tests.fixtures.worker_env import WorkerEnv

SECRET_PART = TOKEN.partition(":")[2]
HALTS = "SELECT count(*) FROM audit WHERE act = 'halt'"
WAITS = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'tickwork telegram' AND wait_event_type = 'Lock'"

CANCEL = """
    SELECT pg_cancel_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%%FROM position%%'
"""


class BotProcess(ForkedProgram):
    """A program `workers.telegram`."""

    def __init__(self, worker_env: WorkerEnv, telegram: TelegramService, log: Path) -> None:
        self.log = log
        own = {
            "TICKWORK_TELEGRAM_TOKEN": TOKEN,
            "TICKWORK_TELEGRAM_URL": telegram.url,
            "TICKWORK_LOG_LEVEL": "DEBUG",
            "TICKWORK_CONTRACTS": "MNQ",
        }
        super().__init__(["workers.telegram"], make_program_env(worker_env) | own, log)


@contextmanager
def bot_process(worker_env: WorkerEnv, telegram: TelegramService, log: Path) -> Iterator[BotProcess]:
    process = BotProcess(worker_env, telegram, log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def error_of(worker_env: WorkerEnv) -> str:
    found = worker_env.rows("SELECT error FROM telegram_bot WHERE error IS NOT NULL")
    return str(found[0][0]) if found else ""


def test_a_killed_bot_does_a_command_once_and_loses_none(
    worker_env: WorkerEnv, anna: Person, telegram: TelegramService, tmp_path: Path
) -> None:
    with bot_process(worker_env, telegram, tmp_path / "first.log") as first:
        anna.ask("/flatten")
        number = telegram.say(anna.telegram_id, anna.code())
        eventually("it is requested", lambda: worker_env.rows("SELECT 1 FROM flatten_request"))
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
    again = {"from": {"id": 41}, "chat": {"id": 41, "type": "private"}, "date": int(time.time()), "text": "123123"}
    telegram.updates = [{"update_id": number, "message": again}]  # as if it had not been confirmed
    telegram.next_id = number + 1
    telegram.say(anna.telegram_id, "/status")  # while no bot runs
    count = len(telegram.texts(anna.telegram_id))
    with bot_process(worker_env, telegram, tmp_path / "second.log"):
        eventually("the status is sent", lambda: [text for text in telegram.texts(41) if "today" in text])

    assert [(1,)] == worker_env.rows("SELECT count(*) FROM flatten_request")
    assert [(1,)] == worker_env.rows("SELECT count(*) FROM job WHERE name = 'orders.flatten'")
    assert [(1,)] == worker_env.rows("SELECT count(*) FROM telegram_flatten")
    told = telegram.texts(anna.telegram_id)[count:]
    assert [] == [text for text in told if "code" in text]


def test_a_bot_that_is_killed_within_a_command_does_it_after_its_start(
    worker_env: WorkerEnv, anna: Person, telegram: TelegramService, tmp_path: Path
) -> None:
    with bot_process(worker_env, telegram, tmp_path / "first.log") as first:
        anna.ask("/halt now")
        with worker_env.ledger.engine.connect() as other, other.begin():
            other.exec_driver_sql("SELECT 1 FROM telegram_user FOR UPDATE")
            telegram.say(anna.telegram_id, anna.code())
            eventually("the bot waits in its transaction", lambda: worker_env.rows(WAITS))
            os.kill(first.pid, signal.SIGKILL)
            first.wait()
    assert [(0,)] == worker_env.rows(HALTS)
    with bot_process(worker_env, telegram, tmp_path / "second.log"):
        eventually("it is halted", lambda: worker_env.rows(HALTS) == [(1,)])
        eventually("it is told", lambda: [text for text in telegram.texts(41) if text.startswith("HALTED: ")])

    assert [(1,)] == worker_env.rows(HALTS)


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (
            (409, {"ok": False, "description": "Conflict: terminated by other getUpdates request"}),
            "only one program may",
        ),
        ((401, {"ok": False, "description": "Unauthorized"}), "tickwork telegram setup"),
        ((500, {"ok": False, "description": f"at /bot{TOKEN}/getUpdates"}), "Telegram answered 500: at /bot***"),
        ((502, "<html>Bad Gateway</html>"), "Telegram answered 502 with no JSON"),
        ((200, "\x00\xff{garbage"), "Telegram answered 200 with no JSON"),
        ((200, {"ok": True, "result": {"a": 1}}), "something that is no list of updates"),
        ((200, {"ok": True, "result": [{"message": {}}, 7]}), "updates that have no number"),
        ((302, ""), "Telegram answered 302"),
        ((None, ""), "Telegram cannot be reached: ConnectionError"),
        ((HALF, '{"ok":true,"result":['), "Telegram cannot be reached: "),
    ],
    ids=["409", "401", "500", "502", "garbage", "no list", "no numbers", "302", "cut", "half"],
)
def test_what_telegram_answers_is_recorded_without_the_token_and_commands_work_after_it(
    worker_env: WorkerEnv,
    anna: Person,
    caplog: pytest.LogCaptureFixture,
    reply: tuple[int | None, object],
    told: str,
) -> None:
    (status, body), telegram = reply, anna.telegram
    caplog.set_level(logging.DEBUG)
    raw = body.encode("latin-1") if isinstance(body, str) else json.dumps(body).encode()
    telegram.script.extend([("getUpdates", status, raw)] * 2)
    with running_bot(worker_env, telegram):
        eventually("the error is recorded", lambda: told in error_of(worker_env), timeout=30)
        error = error_of(worker_env)
        assert "today" in anna.ask("/status")
        eventually("it is over", lambda: not error_of(worker_env), timeout=30)

    assert SECRET_PART not in caplog.text + error
    assert "no commands are taken: Telegram" in caplog.text
    assert "Telegram answers again" in caplog.text


def test_answers_that_are_too_long_are_asked_for_in_smaller_parts(
    worker_env: WorkerEnv, anna: Person, telegram: TelegramService, caplog: pytest.LogCaptureFixture
) -> None:
    for size in (6_000_000, *[70_000] * 99):  # the first is too long for any but an answer of its own
        telegram.say(66, "/halt", reply_to_message={"text": "x" * size})
    with running_bot(worker_env, telegram):
        assert "today" in anna.ask("/status")
        eventually("all is well again", lambda: telegram.limits[-1] == 100 and not error_of(worker_env))

    assert [100, 50, 25, 12, 6, 3, 1, 2, 4] == telegram.limits[:9]
    assert "no commands are taken: Telegram answered with more than 4 MB at once" in caplog.text
    assert "cannot be reached" not in caplog.text


def test_an_update_that_is_too_long_alone_is_recorded_as_that(
    worker_env: WorkerEnv, anna: Person, telegram: TelegramService
) -> None:
    telegram.say(66, "/halt", reply_to_message={"text": "x" * 17_000_000})
    with running_bot(worker_env, telegram):
        eventually("it is recorded", lambda: "more than 16 MB at once" in error_of(worker_env), timeout=30)
        count = len(telegram.limits)
        telegram.updates.clear()
        assert "today" in anna.ask("/status")

    assert count <= 10  # each after a longer pause


def test_the_pause_that_telegram_asks_for_is_kept(
    worker_env: WorkerEnv, anna: Person, telegram: TelegramService
) -> None:
    flood = {"ok": False, "error_code": 429, "description": "Too Many Requests", "parameters": {"retry_after": 4}}
    telegram.script.append(("getUpdates", 429, json.dumps(flood).encode()))
    with running_bot(worker_env, telegram):
        telegram.script.append(("sendMessage", 429, json.dumps(flood).encode()))
        began = time.monotonic()
        anna.ask("/status")
        took = time.monotonic() - began
    first, second = telegram.asked_at[:2]

    assert second - first >= 4
    assert took >= 4 + 4 - 1


def test_an_answer_is_sent_after_errors_and_given_up_where_it_is_hopeless(
    worker_env: WorkerEnv, anna: Person, ben: Person, telegram: TelegramService
) -> None:
    blocked = b'{"ok":false,"error_code":403,"description":"Forbidden: bot was blocked by the user"}'
    telegram.script.extend([("sendMessage", 500, b"{}"), ("sendMessage", None, b""), ("sendMessage", 403, blocked)])
    with running_bot(worker_env, telegram):
        telegram.say(ben.telegram_id, "/help")
        assert "today" in anna.ask("/status")

    assert [] == telegram.texts(ben.telegram_id)
    assert [] == worker_env.rows("SELECT 1 FROM telegram_answer")


def test_the_outcome_of_a_flatten_is_sent_for_a_day_and_an_answer_for_ten_minutes(
    worker_env: WorkerEnv, anna: Person, telegram: TelegramService
) -> None:
    with running_bot(worker_env, telegram):
        anna.ask("/flatten")
        anna.ask(anna.code())
        count = len(telegram.texts(anna.telegram_id))
        telegram.script.extend([("sendMessage", 500, b"{}")] * 1000)
        worker_env.execute("UPDATE telegram_flatten SET until_at = now()")
        telegram.say(anna.telegram_id, "/help")
        eventually("both wait", lambda: worker_env.rows("SELECT count(*) FROM telegram_answer") == [(2,)])
        worker_env.execute(
            "UPDATE telegram_answer SET created_at = created_at - kept, expires_at = expires_at - kept"
            " FROM (SELECT interval '23 h' AS kept) AS outage"
        )
        eventually("the answer is given up", lambda: worker_env.rows("SELECT count(*) FROM telegram_answer") == [(1,)])
        telegram.script.clear()
        told = anna.answer_after(count)

    assert told.startswith("NOT FLAT: ")
    assert "As of 20" in told
    assert telegram.texts(anna.telegram_id)[count:] == [told]


def test_no_log_of_the_program_has_a_secret(
    worker_env: WorkerEnv, anna: Person, telegram: TelegramService, tmp_path: Path
) -> None:
    telegram.script.append(("getUpdates", None, b""))
    log = tmp_path / "bot.log"
    with bot_process(worker_env, telegram, log) as process:
        anna.ask("/halt now")
        code = anna.code()
        anna.ask(code)
        command_line = Path(f"/proc/{process.pid}/cmdline")
        listed = command_line.read_bytes() if command_line.exists() else b""
    shown = log.read_text() + listed.decode()

    assert "Telegram cannot be reached" in shown
    assert [] == [secret for secret in (SECRET_PART, anna.secret, code) if secret in shown]
    assert [] == worker_env.rows("SELECT 1 FROM job WHERE arguments::text LIKE %s", f"%{code}%")


def test_an_update_that_leads_to_an_error_each_time_is_skipped(
    worker_env: WorkerEnv, anna: Person, telegram: TelegramService, caplog: pytest.LogCaptureFixture
) -> None:
    worker_env.execute("ALTER TABLE telegram_user ADD CHECK (pending_reason <> 'broken')")
    with running_bot(worker_env, telegram):
        anna.ask("/flatten")
        assert "Not done, after an error of Tickwork: act at the computer." == anna.ask("/halt broken")
        assert "Nothing waits for a code." in anna.ask(anna.code())
        assert "today" in anna.ask("/status")

    assert "is skipped after an error" in caplog.text


@pytest.mark.parametrize("is_cancelled", [False, True], ids=["lock timeout", "cancelled"])
def test_a_status_that_postgres_gives_up_keeps_no_halt_waiting(
    worker_env: WorkerEnv, anna: Person, telegram: TelegramService, *, is_cancelled: bool
) -> None:
    with running_bot(worker_env, telegram), worker_env.ledger.engine.connect() as other, other.begin():
        other.exec_driver_sql("LOCK TABLE position")
        telegram.say(anna.telegram_id, "/status")
        if is_cancelled:
            eventually("the bot's statement is cancelled", lambda: worker_env.rows(CANCEL))
        told = anna.answer_after(0)
        asked = anna.ask("/halt now")

    assert told.startswith("Not done, as Postgres was too busy or another session locks what it needs")
    assert asked.startswith("Halt stops new entries of ")


def test_while_postgres_does_not_answer_no_update_is_confirmed(
    worker_env: WorkerEnv, anna: Person, telegram: TelegramService
) -> None:
    with running_bot(worker_env, telegram):
        anna.ask("/help")
        with worker_env.ledger.engine.connect() as other, other.begin():
            other.exec_driver_sql("LOCK TABLE telegram_user")
            count = len(telegram.texts(anna.telegram_id))
            number = telegram.say(anna.telegram_id, "/status")
            eventually(
                "a transaction has waited in vain, and the bot asks again",
                lambda: telegram.offsets.count(number) >= 2,
                timeout=40,
            )
            assert [] == telegram.texts(anna.telegram_id)[count:]
        assert "today" in anna.answer_after(count)
