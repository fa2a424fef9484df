"""Long answers, computed in short turns so that every other request and the hubs are served in between."""

import asyncio
from collections.abc import Generator
from typing import TypeVar

from shared.clock import monotonic

Answer = TypeVar("Answer")
# An answer that yields often while it computes, and returns itself at the end.
LongAnswer = Generator[None, None, Answer]
_TURN_S = 0.003


class Turns:
    """Gives the long answers one turn after the other, in the order in which they wait: a short one waits for none.

    One thread computes everything, so an answer never sees half of a change; what a long one reads must not change
    between its turns, like the market of the past.
    """

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def finish(self, answer: "LongAnswer[Answer]") -> Answer:
        """Return the answer once it is computed."""
        while True:
            async with self._turn:
                ends = monotonic() + _TURN_S
                try:
                    while monotonic() < ends:
                        next(answer)
                except StopIteration as end:
                    found: Answer = end.value
                    return found
            await asyncio.sleep(0)
