"""A database that fails again and again is logged once a second, however many requests meet it."""

import asyncio
import logging

import pytest

from web.receiver import deadline
from web.receiver.deadline import DatabaseDownError, with_timeout
from web.receiver.limits import TokenBucket

MANY = 200


async def fail() -> None:
    raise OSError("the server closed the connection")


async def ask_often() -> None:
    for _ in range(MANY):
        with pytest.raises(DatabaseDownError):
            await with_timeout(fail())


def test_failures_in_quick_succession_are_few_lines_of_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(deadline, "_warnings", TokenBucket(1, 1))  # another test may just have had a failure logged
    with caplog.at_level(logging.WARNING, logger="receiver"):
        asyncio.run(ask_often())

    assert 1 <= len(caplog.messages) < MANY / 2
    assert "the database failed: the server closed the connection" == caplog.messages[0]
