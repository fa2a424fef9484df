"""Notes and tags on trades; they outlive the booking of their trade, which may be repeated."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from shared.db.tables.notes import trade_note
from shared.db.tables.trades import round_trip

_NAMES = ("account_id", "contract_id", "opening_fill_id", "part")
_KEY_COLUMNS = tuple_(*(trade_note.c[name] for name in _NAMES))


class TradeKey(NamedTuple):
    """The key of a trade, which stays the same when it is booked again."""

    account_id: int
    contract_id: str
    opening_fill_id: int
    part: int


class TradeNote(NamedTuple):
    """What a person wrote about a trade."""

    note: str
    tags: list[str]


def find_trades(connection: Connection, opening_fill_id: int, part: int, account_id: int | None) -> list[TradeKey]:
    """Return the trades that this fill opened, at most one in each account."""
    statement = select(*(round_trip.c[name] for name in _NAMES))
    statement = statement.where(round_trip.c.opening_fill_id == opening_fill_id, round_trip.c.part == part)
    if account_id is not None:
        statement = statement.where(round_trip.c.account_id == account_id)
    return [TradeKey(*row) for row in connection.execute(statement)]


def read_note(connection: Connection, key: TradeKey) -> TradeNote:
    """Return the note and the tags of a trade, empty ones if it has none."""
    return read_notes(connection, [key]).get(key, TradeNote("", []))


def read_notes(connection: Connection, keys: Sequence[TradeKey]) -> dict[TradeKey, TradeNote]:
    """Return the notes of those trades that have one."""
    if not keys:
        return {}
    columns = (*(trade_note.c[name] for name in _NAMES), trade_note.c.note, trade_note.c.tags)
    rows = connection.execute(select(*columns).where(_KEY_COLUMNS.in_(keys)))
    return {TradeKey(*row[:4]): TradeNote(row.note, row.tags) for row in rows}


def add_notes(connection: Connection, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows of round trips with the `note` and the `tags` of each."""
    keys = [TradeKey(*(row[name] for name in _NAMES)) for row in rows]
    found = read_notes(connection, keys)
    return [row | found.get(key, TradeNote("", []))._asdict() for row, key in zip(rows, keys, strict=True)]


def write_note(connection: Connection, key: TradeKey, note: str) -> None:
    """Replace the note of a trade; an empty one removes it."""
    _write(connection, key, {"note": note})


def change_tags(connection: Connection, key: TradeKey, *, added: Collection[str], removed: Collection[str]) -> None:
    """Add and remove tags of a trade; a change at the same time waits for this transaction."""
    connection.execute(insert(trade_note).values(**key._asdict()).on_conflict_do_nothing())
    before = connection.execute(select(trade_note.c.tags).where(_KEY_COLUMNS.in_([key])).with_for_update())
    tags = (set(before.scalar_one()) | set(added)) - set(removed)
    _write(connection, key, {"tags": sorted(tags)})


def _write(connection: Connection, key: TradeKey, values: dict[str, Any]) -> None:
    changed = values | {"changed_at": func.now()}
    statement = insert(trade_note).values(**key._asdict(), **changed)
    connection.execute(statement.on_conflict_do_update(index_elements=list(_NAMES), set_=changed))
