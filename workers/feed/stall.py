"""Notices when the feed's event loop stood still: a frozen process, a sleeping computer, a blocking call."""

import asyncio

from shared.clock import monotonic

TICK_S = 0.25
CHECK_STALL_EVERY_S = 0.5  # by those who wait for events, so that a stall is noticed soon while none comes
# After a stall this long, another feed may be the active one, and the data in the socket is of unknown age.
STALLED_AFTER_S = 2.0


class Stall:
    """The longest pause between two ticks of the event loop; a slow answer that is awaited is none."""

    def __init__(self) -> None:
        self._ticked_at = monotonic()
        self._longest_s = 0.0

    async def watch(self) -> None:
        """Tick until cancelled."""
        self._ticked_at = monotonic()
        while True:
            await asyncio.sleep(TICK_S)
            self._tick()

    def _tick(self) -> None:
        self._longest_s = max(self._longest_s, monotonic() - self._ticked_at)
        self._ticked_at = monotonic()

    def take(self) -> float:
        """Return the seconds of the longest pause since the last call, the present one included; 0 for a short one."""
        self._tick()
        longest_s, self._longest_s = self._longest_s, 0.0
        return longest_s if longest_s > STALLED_AFTER_S else 0.0
