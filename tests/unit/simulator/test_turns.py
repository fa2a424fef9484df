"""Long answers take turns: none keeps another one, or the rest of the program, waiting until it is done."""

import asyncio

import pytest

from simulator.turns import LongAnswer, Turns


def counting(steps: int) -> LongAnswer[int]:
    for _ in range(steps):
        yield
    return steps


def test_an_answer_without_end_lets_a_short_one_and_the_loop_go_on() -> None:
    is_over = False

    def endless() -> LongAnswer[str]:
        while not is_over:
            yield
        return "ended"

    async def run() -> tuple[str, int]:
        nonlocal is_over
        turns = Turns()
        long = asyncio.create_task(turns.finish(endless()))
        short = await turns.finish(counting(10_000))
        is_over = True
        return await long, short

    assert ("ended", 10_000) == asyncio.run(run())


def test_an_error_of_an_answer_is_raised_and_the_next_answer_gets_its_turn() -> None:
    def failing() -> LongAnswer[str]:
        yield
        raise OverflowError("date value out of range")

    async def run() -> int:
        turns = Turns()
        with pytest.raises(OverflowError, match="out of range"):
            await turns.finish(failing())
        return await turns.finish(counting(3))

    assert 3 == asyncio.run(run())
