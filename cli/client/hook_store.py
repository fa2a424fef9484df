"""What the commands of webhooks share: the database, a hook by its name, and the URL that senders use."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from sqlalchemy import Connection, Engine

from shared.config import Settings
from shared.db.alerts import hooks
from shared.db.alerts.hooks import Hook
from shared.db.engine import make_engine

TOKEN_BYTES = 32


@contextmanager
def open_engine(settings: Settings) -> Iterator[Engine]:
    """Yield an engine on the stack's database."""
    engine = make_engine(settings.require_database(), program="cli", pool_size=1)
    try:
        yield engine
    finally:
        engine.dispose()


def find_hook(connection: Connection, name: str) -> Hook:
    """Return the active hook of a name; raise click.ClickException without one."""
    for row in connection.execute(hooks.all_by_name()):
        if row.name == name and row.removed_at is None:
            return hooks.hook_of(row)
    raise click.ClickException(f"no active hook is named {name!r}: `tickwork hooks list` lists the hooks")


def require_sender_url(settings: Settings) -> str:
    """Return the URL under which senders reach the receiver; raise click.ClickException if it is not known."""
    if not settings.sender_url:
        raise click.ClickException("the receiver's URL is unknown: start the stack, or set TICKWORK_PUBLIC_URL")
    return settings.sender_url
