"""What the two hubs share: the token of the moment, and how often the venue has ended it."""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from shared.clock import monotonic
from shared.errors import CredentialsRefusedError

log = logging.getLogger(__name__)

MOST_LOGOUTS = 5
LOGOUTS_WITHIN = timedelta(minutes=2)


class TokenSource(Protocol):
    """Where a token comes from: asked anew for every connection."""

    async def token(self) -> str:
        """Return the token that all processes share."""
        ...

    async def renewed(self, refused: str) -> str:
        """Return another token than `refused`, which nobody shall use again."""
        ...


class HubSession:
    """Hands each connection the token of now; a token that the venue refuses or ends is renewed once, for both hubs."""

    def __init__(
        self, access: TokenSource, *, most_logouts: int = MOST_LOGOUTS, logouts_within: timedelta = LOGOUTS_WITHIN
    ) -> None:
        self._access = access
        self._most_logouts = most_logouts
        self._logouts_within_s = logouts_within.total_seconds()
        self._one_at_a_time = asyncio.Lock()
        self._refused: str | None = None
        self._renewed: str | None = None
        self._logged_out_at: list[float] = []
        self._rebuild: list[Callable[[], None]] = []

    def join(self, rebuild: Callable[[], None]) -> None:
        """Have `rebuild` called when connections of the present token are over."""
        self._rebuild.append(rebuild)

    async def token(self) -> str:
        """Return the token to connect with."""
        async with self._one_at_a_time:
            if self._refused is None:
                return await self._access.token()
            self._renewed = await self._access.renewed(self._refused)
            self._refused = None
            return self._renewed

    async def fresh(self, old: str) -> str:
        """Return another token than `old`, which is still good but will end soon."""
        async with self._one_at_a_time:
            token = await self._access.token()
            return token if token != old else await self._access.renewed(old)

    def note_refused(self, token: str) -> None:
        """Take note of a 401: the next connection is made with another token, but for a token just renewed.

        A venue that refuses what it has just issued refuses for another reason: more logins would only spend requests.
        """
        if token == self._renewed:
            log.error("the hub refuses a token that the venue has just issued: is the account entitled to its data?")
            self._renewed = None  # tried once more, and renewed then: it may have run out meanwhile
        else:
            self._refused = token

    def note_logout(self, token: str) -> None:
        """Take note that the venue has ended the session of `token`: both hubs are rebuilt with another.

        Raise CredentialsRefusedError when that happens again and again.
        """
        if token == self._refused:  # the other hub has said so already
            return
        now = monotonic()
        recent = [at for at in self._logged_out_at if now - at < self._logouts_within_s]
        self._logged_out_at = [*recent, now]
        self._refused = token
        log.warning("the venue has ended our session, %s time(s) of late: logging in again", len(self._logged_out_at))
        if len(self._logged_out_at) > self._most_logouts:
            raise CredentialsRefusedError(
                f"the venue has ended our session {len(self._logged_out_at)} times within "
                f"{self._logouts_within_s:.0f} s: another program may log in as the same user; stop it, then resume"
            )
        for rebuild in self._rebuild:
            rebuild()
