"""`tickwork db`: the database's schema."""

import click

from cli.stack import settings_of_stack
from shared.db.migrate import upgrade
from shared.log import masked


@click.group(name="db")
def command() -> None:
    """Look after the database."""


@command.command("upgrade")
def upgrade_schema() -> None:
    """Bring the database to the newest schema; `up` does so by itself."""
    url = settings_of_stack().need_database()
    upgrade(url)
    click.echo(f"The schema is the newest: {masked(url)}")
