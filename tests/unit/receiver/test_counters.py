"""The counts of answers are logged while they change, and only then."""

import asyncio
import logging

import pytest

from web.receiver import counters
from web.receiver.counters import Counters


def test_the_counts_are_logged_when_they_have_changed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(counters, "_EVERY_S", 0)
    answers = Counters()

    async def run() -> None:
        logging_counts = asyncio.create_task(answers.log_changes())
        for status in (202, 404, 202):
            answers.count(status)
        for _ in range(20):
            await asyncio.sleep(0)
        logging_counts.cancel()

    with caplog.at_level(logging.INFO, "receiver"):
        asyncio.run(run())

    assert ["answers to alerts since the start: 202: 2, 404: 1"] == caplog.messages
