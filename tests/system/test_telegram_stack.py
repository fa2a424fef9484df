"""The whole stack with a bot: paired by its command, asked for a flatten, killed, and obeying again."""

import os
import signal
from collections.abc import Iterator

import pytest
import requests

from tests.fixtures.stack import ALERT, Stack, eventually
from tests.fixtures.telegram_bot import Person
from tests.fixtures.telegram_service import TOKEN, TelegramService

POSITION = "SELECT quantity FROM position WHERE quantity <> 0"


@pytest.fixture
def traded(stack: Stack, telegram: TelegramService) -> Iterator[Stack]:
    """A stack with the bot, and a position."""
    stack.env |= {"TICKWORK_TELEGRAM_TOKEN": TOKEN, "TICKWORK_TELEGRAM_URL": telegram.url}
    stack.up("--at", "2026-03-09T09:00")
    answer = requests.post(stack.hook(), json=ALERT, timeout=60)
    assert "succeeded" == stack.wait_for_end(answer.json()["job_id"])
    eventually("there is a position", lambda: stack.rows(POSITION))
    yield stack
    stack.stop()


def test_a_paired_phone_flattens_the_account_and_the_killed_bot_obeys_again(
    traded: Stack, telegram: TelegramService
) -> None:
    added = traded.run("telegram", "add-user", "anna").stdout
    secret = added.partition("secret=")[2].partition("&")[0]
    anna = Person("anna", 41, telegram, secret)
    assert "Paired: you are anna." in anna.ask(f"/start {added.partition('/start ')[2].split()[0]}")
    assert "LONG 1 MNQ H26 at " in anna.ask("/status")
    anna.ask("/flatten")
    assert "Flatten requested: " in anna.ask(anna.code())
    assert anna.answer_after(4).startswith("FLAT: ")
    assert [] == traded.rows(POSITION)

    killed = traded.pid_of("telegram")
    os.kill(killed, signal.SIGKILL)
    assert "working order" in anna.ask("/status")
    assert killed != traded.pid_of("telegram")
    doctor = traded.run("doctor", check=False).stdout
    assert "takes commands of 1 user" in " ".join(doctor.split())
    shown = traded.run("logs", "telegram").stdout + traded.log.read_text()
    assert [] == [one for one in (TOKEN.partition(":")[2], secret) if one in shown]
