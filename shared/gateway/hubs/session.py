"""The session the two hubs share: the current token, and how often the venue has ended it."""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from shared.clock import monotonic
from shared.domain.counting import count_of
from shared.errors import CredentialsRefusedError

log = logging.getLogger(__name__)

MAX_LOGOUTS = 5
LOGOUTS_WITHIN = timedelta(minutes=2)


class TokenSource(Protocol):
    """The source of tokens; each connection asks it for one."""

    async def token(self) -> str:
        """Return the token that all processes share."""
        ...

    async def replace_token(self, refused: str) -> str:
        """Drop the token `refused` for all processes; return another."""
        ...


class HubSession:
    """Gives each connection the current token; replaces a token the venue refused or ended once, for both hubs."""

    def __init__(
        self, token_source: TokenSource, *, max_logouts: int = MAX_LOGOUTS, logouts_within: timedelta = LOGOUTS_WITHIN
    ) -> None:
        self._token_source = token_source
        self._most_logouts = max_logouts
        self._logouts_within_s = logouts_within.total_seconds()
        self._lock = asyncio.Lock()
        self._refused: str | None = None
        self._renewed: str | None = None
        self._logged_out_at: list[float] = []
        self._rebuild_callbacks: list[Callable[[], None]] = []

    def register_rebuild(self, rebuild: Callable[[], None]) -> None:
        """Call `rebuild` whenever the connections of the current token must be replaced."""
        self._rebuild_callbacks.append(rebuild)

    async def token(self) -> str:
        """Return the token to connect with."""
        async with self._lock:
            if self._refused is None:
                return await self._token_source.token()
            self._renewed = await self._token_source.replace_token(self._refused)
            self._refused = None
            return self._renewed

    async def get_fresh_token(self, old: str) -> str:
        """Return another token than `old`, which is still valid but ends soon."""
        async with self._lock:
            token = await self._token_source.token()
            return token if token != old else await self._token_source.replace_token(old)

    def record_refused(self, token: str) -> None:
        """Record a 401: the next connection uses another token, unless `token` is new.

        A venue that refuses a token it has just issued does so for another reason: more logins only cost requests.
        """
        if token == self._renewed:
            log.error(
                "the hub refused a token the venue has just issued: check that the account is entitled to market data"
            )
            self._renewed = None  # try it once more, then replace it: it may have ended meanwhile
        else:
            self._refused = token

    def record_logout(self, token: str) -> None:
        """Record that the venue ended the session of `token`: both hubs reconnect with another.

        Raise CredentialsRefusedError after more than `max_logouts` within `logouts_within`.
        """
        if token == self._refused:  # the other hub has recorded it
            return
        now = monotonic()
        recent = [at for at in self._logged_out_at if now - at < self._logouts_within_s]
        self._logged_out_at = [*recent, now]
        self._refused = token
        log.warning("the venue ended our session, %s time(s) recently: logging in again", len(self._logged_out_at))
        if len(self._logged_out_at) > self._most_logouts:
            raise CredentialsRefusedError(
                f"the venue ended our session {count_of(len(self._logged_out_at), 'time')} within "
                f"{self._logouts_within_s:.0f} s: another program may log in as the same user; stop it, then resume"
            )
        for rebuild in self._rebuild_callbacks:
            rebuild()
