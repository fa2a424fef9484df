"""Stalls of the feed's event loop, by a clock of the test."""

import asyncio
from collections.abc import Iterable

import pytest

from workers.feed import stall
from workers.feed.stall import Stall


def find_stall(pauses: Iterable[float], monkeypatch: pytest.MonkeyPatch) -> tuple[float, float]:
    """Return what two calls of `take` say after ticks with these pauses between them, in seconds."""
    now = 100.0
    monkeypatch.setattr(stall, "monotonic", lambda: now)
    monkeypatch.setattr(stall, "TICK_S", 0)

    async def tick() -> tuple[float, float]:
        nonlocal now
        watched = Stall()
        watching = asyncio.create_task(watched.watch())
        for pause in pauses:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            now += pause
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        watching.cancel()
        return watched.take(), watched.take()

    return asyncio.run(tick())


def test_a_stall_is_noticed_once_also_when_it_ended_before_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (3.0, 0.0) == find_stall([0.1, 3.0, 0.1, 0.1], monkeypatch)


def test_a_long_wait_during_which_the_loop_goes_on_is_no_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (0.0, 0.0) == find_stall([1.0] * 10, monkeypatch)


def test_a_stall_that_no_tick_has_seen_yet_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(stall, "monotonic", lambda: now)
    watched = Stall()
    now += 2.5

    assert 2.5 == watched.take()
