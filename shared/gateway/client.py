"""The venue as our programs see it: questions that may be repeated, and mutations that never are."""

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

_PING = "/api/Status/ping"


class GatewayClient(Reads, Mutations):
    """Speaks to one venue for one user; safe to share between threads.

    Towards the real venue `switch` says whose orders may leave; without one none do. The simulator takes all.

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
        """Return this client as jobs of `queue` see it: over the same connections, with that queue's request budget."""
        client = copy(self)
        client._asker = self._asker.for_queue(queue)  # noqa: SLF001  # it is this client
        return client

    def close(self) -> None:
        """Close the connections."""
        self._asker.transport.close()

    def get_ready(self) -> None:
        """Log in or renew the token if need be, so that the next call is one request and no more."""
        self.token()

    def is_ready(self) -> bool:
        """Whether the next call is one request already: there is a login, and it need not be renewed."""
        return self._asker.login.is_at_hand()

    def token(self) -> str:
        """Return the token that all processes share, logging in if there is none; it is a secret."""
        return self._asker.login.token(self._asker.queue)

    def renewed(self, refused: str) -> str:
        """Return another token than `refused`, which the venue answered with 401 or ended; nobody uses that again."""
        return self._asker.login.renewed(refused, self._asker.queue)

    def validate(self) -> None:
        """Exchange the shared token for a fresh one."""
        self._asker.login.validate(self._asker.queue)

    def log_out(self) -> None:
        """End the shared token, at the venue and here; the next call logs in again."""
        self._asker.login.log_out(self._asker.queue)

    def ping(self) -> timedelta:
        """Return how long the venue took to answer; raise VenueDownError or NotSentError if it does not."""
        return self._asker.transport.ping(_PING, self._asker.queue)
