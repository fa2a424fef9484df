"""Connections to Postgres, pooled; nothing connects before it is used."""

from typing import Any

from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import URL, make_url


def driver_url(url: str) -> URL:
    """Return `url` for psycopg 3."""
    return make_url(url).set(drivername="postgresql+psycopg")


def options(program: str, pool_size: int, statement_timeout_s: float | None) -> dict[str, Any]:
    """Return how every engine of ours connects."""
    settings = "-c timezone=UTC"
    if statement_timeout_s is not None:
        settings += f" -c statement_timeout={int(statement_timeout_s * 1000)}"
    return {
        "pool_size": pool_size,
        "max_overflow": 2,
        "pool_timeout": 5,
        "pool_pre_ping": True,  # a restarted server must cost a reconnect, not an error
        "connect_args": {"application_name": f"tickwork {program}", "connect_timeout": 5, "options": settings},
    }


def make_engine(url: str, *, program: str, pool_size: int = 4, statement_timeout_s: float | None = None) -> Engine:
    """Return an engine on `url` whose connections Postgres lists under `program`."""
    return create_engine(driver_url(url), **options(program, pool_size, statement_timeout_s))
