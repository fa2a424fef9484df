"""The stack's database on the embedded server: one per market, and another for every --fresh."""

import re

from psycopg import sql

from cli.local.servers.market_databases import PREFIX, find_market
from shared.db.connect import connect


def choose_database(server_url: str, market: str, *, is_fresh: bool, wanted_market: str | None = None) -> str:
    """Return the name of the market's database; create it if missing. `server_url` is any database of the server.

    It is the newest one, unless `wanted_market` names another, such as sim_seed_7-2: raise RefusedError if that is not
    there.
    """
    if wanted_market is not None:
        return find_market(server_url, wanted_market).database
    base = f"{PREFIX}{market}"
    with connect(server_url, program="up") as connection:
        names = [row[0] for row in connection.execute("SELECT datname FROM pg_database")]
        newest = max((_parse_number(name, base) for name in names), default=0)
        wanted = newest + 1 if is_fresh else max(newest, 1)
        name = base if wanted == 1 else f"{base}-{wanted}"
        if name not in names:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return name


def _parse_number(name: str, base: str) -> int:
    if name == base:
        return 1
    # No market's name contains a dash: mgc_2022_04 is a market of its own, not a database of mgc_2022.
    found = re.fullmatch(rf"{re.escape(base)}-(\d+)", name)
    return int(found.group(1)) if found else 0
