"""How much of each request budget is left, for the figures; a read counts no request."""

from collections.abc import Mapping

import redis.asyncio

from shared.config import VenueSettings
from shared.hot.logins import user_key
from shared.hot.rate_limit import SLOW_BARS, WINDOWS, Window, list_request_keys, window_span_us
from shared.hot.request_scripts import LEFT


class RequestBudgets:
    """Reads the windows in which all processes count their requests."""

    def __init__(self, redis_url: str, venue: VenueSettings, windows: Mapping[str, Window] = WINDOWS) -> None:
        self._redis = redis.asyncio.Redis.from_url(redis_url, socket_timeout=1, socket_connect_timeout=1)
        self._user = user_key(venue)
        self._windows = windows

    async def read_left(self) -> dict[str, float]:
        """Return by budget the percent of its requests that exits may still make; none if Redis does not answer.

        Other requests stop earlier. While the venue's 429 keeps the window closed, nothing is left.
        """
        pipeline = self._redis.pipeline(transaction=False)
        for budget, window in self._windows.items():
            keys = list_request_keys(budget, self._user)[:3]
            pipeline.eval(LEFT, len(keys), *keys, window.most, min(window.most, SLOW_BARS.most), window_span_us(window))
        try:
            left = await pipeline.execute()
        except redis.RedisError:
            return {}
        return {budget: round(float(share) * 100, 3) for budget, share in zip(self._windows, left, strict=True)}

    async def close(self) -> None:
        """Close the connection."""
        await self._redis.aclose()
