"""Whom the bot obeys: the account that sent a pairing code first, in its private chat, with a fresh message."""

import time

import pytest

from tests.fixtures.operator import RunCommand
from tests.fixtures.stack import eventually
from tests.fixtures.telegram_bot import Person
from tests.fixtures.telegram_service import BOT_ID, TelegramService
from tests.fixtures.worker_env import WorkerEnv

pytestmark = pytest.mark.usefixtures("bot")

IGNORED = "SELECT ignored_count FROM telegram_bot"
AUDITED = "SELECT who, after ->> 'why' FROM audit WHERE act = 'telegram_ignored' ORDER BY id"


def add_user(operator: RunCommand, name: str = "anna") -> tuple[str, str]:
    """Return the secret and the pairing code that the command prints."""
    added = operator("telegram", "add-user", name)
    assert 0 == added.status, added.error
    secret = added.out.partition("secret=")[2].partition("&")[0]
    return secret, added.out.partition("/start ")[2].split()[0]


def until_ignored(worker_env: WorkerEnv, count: int) -> None:
    eventually(f"{count} updates are ignored", lambda: worker_env.rows(IGNORED) == [(count,)], timeout=30)


def test_a_code_pairs_the_account_that_sends_it_first_and_is_good_once(
    operator: RunCommand, worker_env: WorkerEnv, telegram: TelegramService
) -> None:
    secret, code = add_user(operator)
    person = Person("anna", 41, telegram, secret)
    assert person.ask(f"/start {code.lower()}").startswith("Paired: you are anna.")
    telegram.say(66, f"/start {code}")
    telegram.say(66, "/status")
    until_ignored(worker_env, 2)
    person.ask("/halt now")

    assert person.ask(person.code()).startswith("HALTED: ")
    assert [] == telegram.texts(66)
    assert [("anna", 41)] == [(row["name"], row["telegram_id"]) for row in users_of(operator)]
    assert [("telegram:anna", "telegram_pair")] == worker_env.rows(
        "SELECT who, act FROM audit WHERE act = 'telegram_pair'"
    )
    again = operator("telegram", "add-user", "anna")
    assert (1, True) == (again.status, "a Telegram account is paired with anna" in again.error)


def users_of(operator: RunCommand) -> list[dict[str, object]]:
    found: list[dict[str, object]] = operator("telegram", "users", "--json").json["users"]
    return found


def test_an_expired_or_replaced_code_pairs_no_account(
    operator: RunCommand, worker_env: WorkerEnv, telegram: TelegramService
) -> None:
    _, replaced = add_user(operator)
    _, expired = add_user(operator)
    worker_env.execute("UPDATE telegram_user SET pairing_expires_at = now() - interval '1 s'")
    for code in (replaced, expired, "", "A" * 4000):
        telegram.say(41, f"/start {code}")
    until_ignored(worker_env, 4)

    assert [] == telegram.texts(41)
    assert [None] == [row["telegram_id"] for row in users_of(operator)]


def test_a_user_who_is_removed_is_obeyed_no_more(operator: RunCommand, worker_env: WorkerEnv, anna: Person) -> None:
    anna.ask("/halt now")
    assert 0 == operator("telegram", "remove-user", "anna").status
    anna.telegram.say(anna.telegram_id, anna.code())
    until_ignored(worker_env, 1)

    assert [(False,)] == worker_env.rows("SELECT halted_at IS NOT NULL FROM account")
    assert 1 == operator("telegram", "remove-user", "anna").status


def test_a_heap_of_old_messages_keeps_no_fresh_one_waiting(worker_env: WorkerEnv, anna: Person) -> None:
    for _ in range(50):
        anna.telegram.say(anna.telegram_id, "/flatten", age_s=3600)
    anna.telegram.say(anna.telegram_id, "/halt now")
    eventually("it is asked", lambda: [text for text in anna.telegram.texts(41) if text.startswith("Halt stops")])

    assert [(30,)] == worker_env.rows(IGNORED)
    assert [("halt",)] == worker_env.rows("SELECT pending_act FROM telegram_user")


@pytest.mark.parametrize(
    "message",
    [
        {"chat": {"id": -100, "type": "group"}},
        {"chat": {"id": -100, "type": "supergroup"}, "sender_chat": {"id": -100, "type": "supergroup"}},
        {"chat": {"id": 42, "type": "private"}},
        {"from": {"id": 41, "is_bot": True}},
        {"forward_origin": {"type": "hidden_user", "sender_user_name": "A", "date": 1}},
        {"forward_date": 1},
        {"via_bot": {"id": 5, "is_bot": True}},
        {"business_connection_id": "b"},
        {"edit_date": 1},
        {"date": -1},
        {"date": "soon"},
        {"from": {"id": 2**70}, "chat": {"id": 2**70, "type": "private"}},
    ],
    ids=str,
)
def test_what_a_user_does_not_type_in_the_private_chat_is_ignored(
    worker_env: WorkerEnv, anna: Person, message: dict[str, object]
) -> None:
    anna.telegram.say(anna.telegram_id, "/halt now", **message)  # type: ignore[arg-type]  # fields of any kind
    until_ignored(worker_env, 1)

    assert [] == anna.telegram.texts(41) + anna.telegram.texts(42)
    assert [(None,)] == worker_env.rows("SELECT pending_act FROM telegram_user")


def test_updates_that_are_no_messages_are_ignored_and_numbers_may_jump(
    worker_env: WorkerEnv, anna: Person, telegram: TelegramService
) -> None:
    telegram.push({"update_id": 2_000_000, "edited_message": {"text": "/halt"}})
    telegram.push({"update_id": 2_000_007, "message": {"text": 7}})
    until_ignored(worker_env, 2)
    assert "today" in anna.ask("/status")
    assert [(2_000_009,)] == worker_env.rows(f"SELECT next_update_id FROM telegram_bot WHERE bot_id = {BOT_ID}")


def test_after_a_week_without_updates_lower_numbers_are_new_ones(
    worker_env: WorkerEnv, anna: Person, telegram: TelegramService
) -> None:
    telegram.next_id = 900_000
    anna.ask("/status")
    telegram.next_id = 12
    worker_env.execute("UPDATE telegram_bot SET updated_at = now() - interval '7 days'")

    assert "today" in anna.ask("/status")
    assert [(13,)] == worker_env.rows("SELECT next_update_id FROM telegram_bot")


def test_an_old_message_is_answered_and_does_nothing(worker_env: WorkerEnv, anna: Person) -> None:
    assert anna.ask("/halt now", age_s=90).startswith("Too old: your message came ")
    anna.ask("/halt now")
    assert anna.ask(anna.code(), age_s=61).startswith("Too old: ")
    assert "behind, so nothing was done" in anna.ask("/status", age_s=-300)
    assert [(False,)] == worker_env.rows("SELECT halted_at IS NOT NULL FROM account")


def test_a_computer_whose_clock_is_behind_takes_no_old_message_for_a_fresh_one(
    worker_env: WorkerEnv, anna: Person
) -> None:
    anna.telegram.ahead_s = 600  # so an old message looks fresh to the computer's own clock
    assert anna.ask("/halt now").startswith("Too old: your message came 6")
    assert "/status: " in anna.ask("/help", age_s=-600)
    anna.ask("/halt now", age_s=-600)
    assert " s off: set it." in anna.ask(anna.wrong_code(), age_s=-600)
    assert [(False,)] == worker_env.rows("SELECT halted_at IS NOT NULL FROM account")


def test_a_flood_of_unknown_senders_is_counted_and_leaves_few_rows(
    worker_env: WorkerEnv, anna: Person, telegram: TelegramService
) -> None:
    for number in range(300):
        telegram.say(1000 + number % 150, "/halt")
    began = time.monotonic()
    assert "today" in anna.ask("/status")
    until_ignored(worker_env, 300)

    audited = worker_env.rows(AUDITED)
    assert 20 == len(audited) == len(set(audited))
    assert [("telegram account 1000", "unknown user")] == audited[:1]
    assert time.monotonic() - began < 30


def test_a_user_who_floods_the_bot_is_answered_twenty_times_a_minute(worker_env: WorkerEnv, anna: Person) -> None:
    for _ in range(60):
        anna.telegram.say(anna.telegram_id, "/help")
    until_ignored(worker_env, 40)
    eventually("all answers are sent", lambda: worker_env.rows("SELECT count(*) FROM telegram_answer") == [(0,)])

    assert 0 < len(anna.telegram.texts(anna.telegram_id)) <= 20
