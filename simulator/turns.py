"""Long answers, computed in a thread of their own so that every other request and the hubs are served meanwhile."""

import asyncio
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from shared.clock import monotonic

T = TypeVar("T")
# An answer that yields often while it computes, and returns itself at the end. Its first step runs in the event loop
# and reads the state; the others run in the thread and read only what no longer changes: the market of the past, and
# the rows that the first step took.
LongAnswer = Generator[None, None, T]
_TURN_S = 0.02
SWITCH_INTERVAL_S = 0.001  # for sys.setswitchinterval: the event loop waits at most so long for the thread


class Turns:
    """Gives the long answers one turn after the other, so that a short one does not wait for those before it."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()  # given in the order of waiting
        self._thread = ThreadPoolExecutor(1, "long answers")

    async def finish(self, answer: "LongAnswer[T]") -> T:
        """Return the answer once it is computed."""
        found = _take_steps(answer, 0)
        while not found:
            async with self._turn:
                found = await asyncio.get_running_loop().run_in_executor(self._thread, _take_steps, answer, _TURN_S)
        return found[0]


def _take_steps(answer: "LongAnswer[T]", seconds: float) -> list[T]:
    """Take steps of the answer for some time, at least one; return the answer in a list, empty if it is not done."""
    ends = monotonic() + seconds
    try:
        next(answer)
        while monotonic() < ends:
            next(answer)
    except StopIteration as end:
        return [end.value]
    return []
