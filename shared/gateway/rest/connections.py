"""Connections to the venue that are kept for the next request, and only as long as the venue surely keeps them too."""

from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import HTTPResponse

from shared.clock import monotonic

# A server that closes an idle connection while our request is on its way leaves a mutation without an answer. urllib3
# looks for a closed one before it sends, which leaves a race; servers wait for 5 s or longer, so we do not play it.
IDLE_AT_MOST_S = 4.0
_MOST = 4


class _Connection(HTTPConnection):
    answered_at = 0.0

    @property
    def is_connected(self) -> bool:
        return super().is_connected and monotonic() - self.answered_at < IDLE_AT_MOST_S

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 declares it
        answer = super().getresponse()
        self.answered_at = monotonic()
        return answer


class _SecureConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class KeptConnections(HTTPAdapter):
    """Hands a thread a connection that is whole and was used a moment ago, or a new one."""

    def __init__(self) -> None:
        super().__init__(pool_connections=1, pool_maxsize=_MOST, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # as requests declares it
        """Make the pools hold connections of ours."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
