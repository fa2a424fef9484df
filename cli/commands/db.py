"""`tickwork db`: the database's schema, and the market it belongs to."""

from datetime import timedelta
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit

import click

from cli.client.stack import load_stack_settings
from cli.console.groups import CommandGroup
from cli.local.home.folder import Home
from cli.local.servers.psql import start_psql
from shared.clock import live_clock
from shared.config import environment
from shared.db.accounts import accounts
from shared.db.engine import limit_lock_wait, make_engine, suppress_lock_timeout
from shared.db.market_data import market_clock
from shared.db.market_data.market_clock import MarketRow
from shared.db.migrate import upgrade
from shared.db.reader_url import is_of_programs, reader_url
from shared.log import mask_secrets

_LOCK_WAIT = timedelta(seconds=0.5)


@click.group(name="db", cls=CommandGroup)
def command() -> None:
    """Upgrade the database, or open psql on it."""


@command.command("upgrade")
@click.option(
    "--market",
    "name",
    metavar="NAME",
    help="Market of a database that has none yet, on this computer's clock.",
)
def upgrade_schema(name: str | None) -> None:
    """Upgrade the schema of the database, as each start does. Entries then wait for the next reconcile."""
    url = load_stack_settings().require_database()
    upgrade(url)
    click.echo(f"The schema is up to date: {mask_secrets(url)}")
    engine = make_engine(url, program="db upgrade", pool_size=1)
    try:
        # A start with Compose begins with this command, and its beat does the same.
        with suppress_lock_timeout("beat requires the reconcile of this start"), engine.begin() as connection:
            limit_lock_wait(connection, _LOCK_WAIT)
            accounts.require_reconciliation(connection)
        if name is None:
            return
        with engine.begin() as connection:
            known = market_clock.read(connection)
            if known is None:
                market_clock.write(
                    connection, MarketRow(name, "seeded" if name.startswith("sim_") else "live", live_clock())
                )
            elif known.market != name:
                raise click.ClickException(
                    f"invalid --market {name!r}: this database belongs to the market {known.market}"
                )
    finally:
        engine.dispose()
    click.echo(f"The market is {name}.")


@command.command("psql", context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
@click.option("--write", is_flag=True, help="Let the session write, with the rights of the programs.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def open_psql(arguments: tuple[str, ...], *, write: bool) -> None:
    """Open psql on the stack's database, which then only reads, unless --write is given.

    Pass ARGUMENTS on to it, such as -c "SELECT * FROM account_now"; `-- --help` lists them. On the embedded server
    the session has a role of its own, which may not write and sees no secret; on another it is read-only until you
    change that.
    """
    settings = load_stack_settings()
    given = settings.require_database()
    is_embedded = is_of_programs(given)
    url = urlsplit(given if write or not is_embedded else reader_url(given, settings.home))
    if not write and not is_embedded:
        url = _make_read_only(url, environment().get("PGOPTIONS", ""))
        click.echo("This role of your server can write: the session is read-only until you change that.", err=True)
    start_psql(url.geturl(), Home(settings.home), arguments)


def _make_read_only(url: SplitResult, options: str) -> SplitResult:
    """Return the URL of a session that is read-only by default; `options` are those of the environment."""
    query = dict(parse_qsl(url.query))
    query["options"] = f"{query.get('options', options)} -c default_transaction_read_only=on".strip()
    return url._replace(query=urlencode(query, quote_via=quote))
