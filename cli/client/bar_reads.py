"""The stored bars for commands: of the one contract that a symbol means, and through the cache."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from cli.client.lookup import list_contract_ids
from cli.client.stack import load_stack_settings
from shared.bars.bar_reader import BarReader
from shared.db.market_data import contracts, market_clock
from shared.domain.counting import count_of
from shared.domain.market_data.bar import MINUTE, minute_of
from shared.domain.market_data.bar_columns import BarColumns
from shared.domain.market_data.contract import Contract, typed_symbol
from shared.domain.market_data.coverage import Span
from shared.domain.market_data.symbol import Symbol
from shared.errors import RefusedError
from shared.hot.connection import CircuitBreaker, connect
from shared.hot.recent_bars import RecentBars


@contextmanager
def open_recent_bars(connection: Connection) -> Iterator[RecentBars]:
    """Open the bars of the database's market in the stack's cache; while that does not answer there are none."""
    market = market_clock.require(connection).unique_name
    with closing(connect(load_stack_settings().require_cache(), decode=False)) as client:
        yield RecentBars(client, CircuitBreaker(), market)


@contextmanager
def open_bar_reader(connection: Connection) -> Iterator[BarReader]:
    """Open a reader of the bars of the database's market."""
    with open_recent_bars(connection) as recent:
        yield BarReader(recent)


def resolve_bar_contract(connection: Connection, symbol: Symbol) -> Contract:
    """Return the contract of a month, or the active one of a root; raise RefusedError if there is none or several."""
    known = [contracts.require(connection, one) for one in list_contract_ids(connection, symbol)]
    active = [one for one in known if one.is_active]
    found = active if symbol.month is None and active else known
    if len(found) > 1:
        raise RefusedError(f"{symbol.text} means several contracts: give {' or '.join(one.id for one in found)}")
    if not found:
        raise RefusedError(describe_no_contract(connection, symbol))
    return found[0]


def describe_no_contract(connection: Connection, symbol: Symbol) -> str:
    """Return that no contract of a symbol is known, which of its root are, and how an expired one gets its bars."""
    months = [typed_symbol(one.id) for one in contracts.list_of_root(connection, symbol.root.name)]
    text = f"no contract of {symbol.text} is known: "
    if not months:
        return f"{text}the venue offers none of {symbol.root.name}"
    expired = f"; `tickwork bars import FILE --contract {symbol.text}` adds the bars of a month that has expired"
    return f"{text}expected {' or '.join(months)}{expired if symbol.month else ''}"


def read_market_now(connection: Connection) -> datetime:
    """Return the market time, to the last whole minute."""
    return minute_of(market_clock.require(connection).clock.now())


def require_past(option: str, at: datetime | None, market_now: datetime) -> None:
    """Raise RefusedError for a time of market time that is still to come."""
    if at is not None and at > market_now:
        raise RefusedError(
            f"invalid {option} '{at:%Y-%m-%d %H:%M}': it is in the future, as market time is now "
            f"{market_now:%Y-%m-%d %H:%M} UTC"
        )


def list_bar_rows(bars: BarColumns, tick_size: Decimal) -> list[dict[str, Any]]:
    """Return bars as rows of a table or of JSON, newest first, with their prices."""
    return [
        {"start": bar.start}
        | {name: getattr(bar, name) * tick_size for name in ("open", "high", "low", "close")}
        | {"volume": bar.volume}
        for bar in reversed(bars.to_bars())
    ]


def describe_gaps(
    gaps: Sequence[Span], months: Sequence[str], most: int = 3, *, set_aside: Sequence[Span] = ()
) -> str | None:
    """Return a sentence that names the newest gaps, and `months` to fetch them by; None without any.

    Those that are also `set_aside` are not to be fetched.
    """
    if not gaps:
        return None
    minutes = count_of(sum(gap.duration // MINUTE for gap in gaps), "minute")
    named = ", ".join(
        f"{gap.start:%Y-%m-%d %H:%M} to {gap.end:%H:%M}"
        if gap.start.date() == gap.end.date()
        else f"{gap.start:%Y-%m-%d %H:%M} to {gap.end:%Y-%m-%d %H:%M}"
        for gap in gaps[: -most - 1 : -1]
    )
    more = f" and {len(gaps) - most} more" if len(gaps) > most else ""
    commands = " and ".join(f"`tickwork bars backfill {one}`" for one in months)
    lost = sum(gap.duration // MINUTE for gap in set_aside)
    but = f", but for {lost:,} of which the venue sent what cannot be a bar: `tickwork bars list`" if lost else ""
    return f"Gaps: {minutes} ({named}{more}); {commands} fetch{'' if months[1:] else 'es'} them{but}."


def describe_history(first: datetime | None, symbol: Symbol, *, shown: int, asked: int | datetime) -> str | None:
    """Return a sentence that says what is stored, if that is less than what was asked for: bars, or a time to begin at.

    `first` is the first stored minute.
    """
    fetches = f"`tickwork bars backfill {symbol.text} --days N` asks the venue for older ones."
    if first is None:
        return f"No minute of {symbol.text} is stored: `tickwork bars backfill {symbol.text}` fetches them."
    begin = f"the stored minutes of {symbol.text} begin at {first:%Y-%m-%d %H:%M} UTC"
    if isinstance(asked, datetime):
        if asked >= first:
            return None
        return f"Asked for: bars from {asked:%Y-%m-%d %H:%M} UTC on; {begin}: {fetches}"
    if shown >= asked:
        return None
    return f"Asked for: {count_of(asked, 'bar')}; shown: {shown}, as {begin}: {fetches}"
