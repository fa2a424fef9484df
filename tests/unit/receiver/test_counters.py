"""The counts of answers have every answer, and are logged while they change, and only then."""

import asyncio
import logging
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.types import Message

from shared.db.engine import make_async_engine
from shared.ledger.async_ledger import AsyncLedger
from shared.ledger.publisher import open_async_publisher
from web.receiver import counters, spool_record
from web.receiver.alert_store import AlertStore
from web.receiver.alerts import AlertRoute
from web.receiver.counters import Counters
from web.receiver.deadline import DatabaseDownError
from web.receiver.hook_cache import HookCache
from web.receiver.scope import IS_WHOLE
from web.receiver.sender import AddressReader
from web.receiver.spool import Spool


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


@pytest.mark.parametrize(
    ("path_params", "error", "expected"),
    [({"token": "unknown"}, DatabaseDownError, "503: 1"), ({}, KeyError, "500: 1")],
    ids=["no database", "a fault of ours"],
)
def test_an_alert_that_ends_with_an_error_is_counted(
    tmp_path: Path, path_params: dict[str, str], error: type[Exception], expected: str
) -> None:
    answers = Counters()
    ledger = AsyncLedger(
        make_async_engine("postgresql://127.0.0.1:1/absent", program="test"),
        open_async_publisher("redis://127.0.0.1:1"),
    )
    store = AlertStore(ledger, Spool(tmp_path, spool_record.encode, spool_record.decode), timedelta(seconds=90))
    route = AlertRoute(HookCache(ledger.engine, max_quantity=5), store, AddressReader(0), answers, receiver_url="")
    scope = {"type": "http", "headers": [], "client": ("127.0.0.1", 1), "path_params": path_params, IS_WHOLE: True}

    async def receive() -> Message:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def run() -> None:
        with pytest.raises(error):
            await route.post(Request(scope, receive))
        await ledger.close()

    asyncio.run(run())
    assert expected == str(answers)
