"""Connections to Postgres without a pool, and the limits by which every connection notices a network that is silent."""

from typing import Any, Final

import psycopg
from sqlalchemy.engine import make_url

CONNECT_TIMEOUT_S: Final = 5
# A network that swallows packets answers nothing, not even with an error: the system itself would wait 15 minutes for
# an acknowledgement, and for ever on a connection that only listens.
NETWORK_LIMITS: Final[dict[str, int]] = {
    "connect_timeout": CONNECT_TIMEOUT_S,
    "tcp_user_timeout": 10_000,  # ms that data may stay unacknowledged; systems other than Linux ignore it
    "keepalives": 1,
    "keepalives_idle": 10,  # s
    "keepalives_interval": 3,  # s
    "keepalives_count": 3,
}


def network_limits(url: str) -> dict[str, int]:
    """Return the limits as options of libpq, without those that `url` itself sets."""
    own = make_url(url).query
    return {name: limit for name, limit in NETWORK_LIMITS.items() if name not in own}


def connect(url: str, *, program: str, **options: int) -> psycopg.Connection[Any]:
    """Connect in autocommit mode; `pg_stat_activity` lists the connection as `tickwork PROGRAM`."""
    limits = network_limits(url) | options
    return psycopg.connect(url, autocommit=True, application_name=f"tickwork {program}", **limits)  # type: ignore[arg-type]  # the limits are options of libpq
