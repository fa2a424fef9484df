"""The asyncio twin of the engine, apart from it: its import costs every program a fifth of a second."""

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from shared.db.engine import driver_url, options


def make_async_engine(
    url: str, *, program: str, pool_size: int = 4, statement_timeout_s: float | None = None
) -> AsyncEngine:
    """Return the asyncio twin of `make_engine`."""
    # The receiver asks first, and does not only look: a sender gets no second try.
    connecting = options(program, pool_size, statement_timeout_s) | {"pool_pre_ping": True}
    return create_async_engine(driver_url(url), **connecting)
