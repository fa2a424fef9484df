"""The asyncio twin of the engine, apart from it: its import costs every program a fifth of a second."""

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from shared.db.engine import driver_url, drop_if_dead, options


def make_async_engine(
    url: str, *, program: str, pool_size: int = 4, statement_timeout_s: float | None = None
) -> AsyncEngine:
    """Return the asyncio twin of `make_engine`."""
    engine = create_async_engine(driver_url(url), **options(program, pool_size, statement_timeout_s))
    event.listen(engine.sync_engine, "checkout", drop_if_dead)
    return engine
