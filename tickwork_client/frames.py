"""DataFrames of rows: numbers as floats or exact, instants with their zone, ids as text."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from uuid import UUID

import pandas as pd

Row = Mapping[str, object]


def to_frame(columns: Sequence[str], rows: Sequence[Row], *, exact: bool) -> pd.DataFrame:
    """Return the rows as a frame that has the columns also without a row.

    Decimals become float64, or stay Decimal if `exact`; instants are UTC, and ids text.
    """
    frame = pd.DataFrame(
        [[_to_plain(row[name], exact=exact) for name in columns] for row in rows], columns=list(columns)
    )
    for name in columns:
        values = [row[name] for row in rows if row[name] is not None]
        if name.endswith("_at") or name == "start":
            frame[name] = pd.to_datetime(frame[name], utc=True)
        elif values and not exact and all(isinstance(value, Decimal) for value in values):
            frame[name] = frame[name].astype("float64")
    return frame


def flatten(result: object) -> dict[str, object]:
    """Return a job's result as columns: its fields, or `result` for what has no fields."""
    return dict(result) if isinstance(result, dict) else {"result": result}


def _to_plain(value: object, *, exact: bool) -> object:
    match value:
        case Decimal():
            return value if exact else float(value)
        case UUID():
            return str(value)
    return value
