"""Parquet files of bars, read and written by pyarrow, which the optional extra `parquet` installs."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from shared.domain.market_data.bar_columns import BarColumns
from shared.errors import RefusedError

_ROWS_AT_ONCE = 100_000


def read_names(file: Path) -> list[str]:
    """Return the names of the columns; raise RefusedError for a file that is not parquet."""
    return list(_open(file).schema_arrow.names)


def read_rows(file: Path, names: Sequence[str]) -> Iterator[bytes]:
    """Yield the rows as lines of CSV with commas, many at once and with these columns in this order.

    Raise RefusedError for a file that is damaged, or a column that has no plain values.
    """
    arrow = require_pyarrow()
    options = arrow.csv.WriteOptions(include_header=False, quoting_style="none")
    try:
        for batch in _open(file).iter_batches(batch_size=_ROWS_AT_ONCE, columns=list(names)):
            lines = arrow.BufferOutputStream()
            arrow.csv.write_csv(batch.select(list(names)), lines, options)
            yield lines.getvalue().to_pybytes()
    except (OSError, arrow.ArrowException) as error:
        raise RefusedError(f"cannot read {file} as parquet: {error}") from None


def write_bars(
    file: BinaryIO, bars: BarColumns, prices: Sequence[NDArray[np.floating]], facts: Mapping[str, str]
) -> None:
    """Write bars, whose `prices` are open, high, low and close; the file's metadata has the `facts`."""
    arrow = require_pyarrow()
    names = ["start", "open", "high", "low", "close", "volume"]
    starts = arrow.array(bars.seconds * 1_000, type=arrow.timestamp("ms", tz="UTC"))
    table = arrow.table([starts, *map(arrow.array, prices), arrow.array(bars.volume)], names=names)
    arrow.parquet.write_table(table.replace_schema_metadata(dict(facts)), file)


def require_pyarrow() -> Any:  # noqa: ANN401  # pyarrow ships no types
    """Return pyarrow; raise RefusedError if it is not installed."""
    try:
        import pyarrow as pa  # noqa: PLC0415  # optional, and slow to import
        import pyarrow.csv  # noqa: PLC0415  # as above
        import pyarrow.parquet  # noqa: PLC0415  # as above
    except ModuleNotFoundError:
        raise RefusedError(
            "parquet files need pyarrow, which is not installed: it is the extra `parquet`, as in "
            "`.uv/bin/uv pip install 'pyarrow>=26,<27'`"
        ) from None
    return pa


def _open(file: Path) -> Any:  # noqa: ANN401  # as above
    arrow = require_pyarrow()
    try:
        return arrow.parquet.ParquetFile(file)
    except (OSError, arrow.ArrowInvalid) as error:
        raise RefusedError(f"cannot read {file} as parquet: {error}") from None
