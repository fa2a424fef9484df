"""Keep-alive connections to the venue, reused only while the venue certainly keeps them open."""

from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import HTTPResponse

from shared.clock import monotonic

# A mutation gets no answer if the server closes the idle connection while the request is on its way. urllib3 checks for
# a closed connection before it sends, which leaves a race. Servers wait for 5 s or longer: staying below avoids it.
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


class KeepAliveAdapter(HTTPAdapter):
    """Gives a thread an open connection used within the last IDLE_AT_MOST_S seconds, or a new one."""

    def __init__(self) -> None:
        super().__init__(pool_connections=1, pool_maxsize=_MOST, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # as requests declares it
        """Make the pools use our connection classes."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
