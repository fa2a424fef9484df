"""The client of the venue: reads, which may be repeated, and mutations, which never are."""

from copy import copy
from datetime import timedelta

from shared.config import VenueSettings
from shared.fleets import Queue
from shared.gateway.orders.mutations import Mutations
from shared.gateway.ports import AlwaysLive, CallLog, Limiter, LiveSwitch, NeverLive, TokenStore
from shared.gateway.rest.auth import Login
from shared.gateway.rest.reads import Reads
from shared.gateway.rest.requester import TIMEOUT, Requester
from shared.gateway.rest.transport import Transport
from shared.gateway.rest.venue_time import PING


class GatewayClient(Reads, Mutations):
    """Calls one venue for one user; safe to share between threads.

    `switch` decides which accounts may send orders to the real venue; without one, none may. To the simulator, all may.

    Every method may raise VenueDownError, RateLimitedError, CredentialsRefusedError, or NotSentError.
    """

    def __init__(
        self,
        venue: VenueSettings,
        tokens: TokenStore,
        limiter: Limiter,
        calls: CallLog,
        *,
        timeout: timedelta = TIMEOUT,
        switch: LiveSwitch | None = None,
    ) -> None:
        transport = Transport(venue.url, limiter, calls, timeout, secret=venue.key)
        login = Login(venue, transport, tokens)
        allowed: LiveSwitch = AlwaysLive() if venue.is_simulator else switch or NeverLive()
        super().__init__(Requester(transport, login, Queue.NORMAL, timeout, allowed))

    def for_queue(self, queue: Queue) -> "GatewayClient":
        """Return a client for jobs of `queue`: the same connections, that queue's share of the request budget."""
        client = copy(self)
        client._requester = self._requester.for_queue(queue)  # noqa: SLF001  # a copy of this client
        return client

    def close(self) -> None:
        """Close the connections."""
        self._requester.transport.close()

    def ensure_token(self) -> None:
        """Log in or renew the token if needed, so that the next call is exactly one request."""
        self.token()

    def is_ready(self) -> bool:
        """Whether the next call is exactly one request: there is a token, and it is not due for renewal."""
        return self._requester.login.has_fresh_token()

    def token(self) -> str:
        """Return the token that all processes share, logging in if there is none; the token is secret."""
        return self._requester.login.token(self._requester.queue)

    def replace_token(self, refused: str) -> str:
        """Drop the token `refused`, which the venue answered with 401 or ended, for all processes; return another."""
        return self._requester.login.replace_token(refused, self._requester.queue)

    def validate(self) -> None:
        """Exchange the shared token for a fresh one."""
        self._requester.login.validate(self._requester.queue)

    def log_out(self) -> None:
        """End the shared token at the venue and drop it here; the next call logs in again."""
        self._requester.login.log_out(self._requester.queue)

    def ping(self) -> timedelta:
        """Return how long the venue took to answer; raise VenueDownError or NotSentError if it did not."""
        return self._requester.transport.ping(PING, self._requester.queue)
