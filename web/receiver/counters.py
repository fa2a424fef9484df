"""Counts the answers to alerts since the start; a line of the log says them once a minute, while they change."""

import asyncio
import logging
from collections import Counter

log = logging.getLogger("receiver")

_EVERY_S = 60.0


class Counters:
    """How many alerts were answered with each status."""

    def __init__(self) -> None:
        self._answers: Counter[int] = Counter()

    def count(self, status: int) -> None:
        """Count one answer."""
        self._answers[status] += 1

    def __str__(self) -> str:
        """Return the counts, such as `202: 17, 404: 2`."""
        return ", ".join(f"{status}: {count}" for status, count in sorted(self._answers.items()))

    async def log_changes(self) -> None:
        """Log the counts once a minute, if there are new ones; until cancelled."""
        said = 0
        while True:
            await asyncio.sleep(_EVERY_S)
            if self._answers.total() != said:
                said = self._answers.total()
                log.info("answers to alerts since the start: %s", self)
