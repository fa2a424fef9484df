"""Files of bars: CSV, plain or compressed, and parquet; read a block of lines at a time, and written anew."""

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cli.client import parquet
from shared.errors import RefusedError

ENDINGS = (".csv", ".csv.gz", ".parquet")
_BLOCK = 8 * 2**20
_DELIMITERS = ",;\t|"
_MOST_SHOWN = 120


@dataclass(frozen=True, slots=True)
class BarFile:
    """A file of bars: the names of its columns, how its lines are split, and the number of the first line of bars.

    `read` yields whole lines as bytes, many at once. A row of a parquet file counts as a line.
    """

    names: list[str]
    delimiter: str
    first_line: int
    read: Callable[[], Iterator[bytes]]


def ending_of(file: Path) -> str:
    """Return how a file's name ends, one of ENDINGS; raise RefusedError for another name."""
    found = next((one for one in ENDINGS if file.name.lower().endswith(one)), None)
    if found is None:
        raise RefusedError(f"invalid file {str(file)!r}: expected a name that ends in {', '.join(ENDINGS)}")
    return found


def open_bar_file(file: Path, *, has_heading: bool) -> BarFile:
    """Return a file of bars; without a heading its columns are named 1, 2 ... Raise RefusedError if it has no lines."""
    if ending_of(file) == ".parquet":
        names = parquet.read_names(file)
        return BarFile(names, ",", 1, lambda: parquet.read_rows(file, names))
    with _open_csv(file) as lines:
        first = lines.readline().removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").strip("\r\n")
    if not first.strip():
        raise RefusedError(f"{file} begins with an empty line: expected the names of its columns")
    delimiter = max(_DELIMITERS, key=first.count)
    names = [one.strip().strip('"') for one in first.split(delimiter)]
    if not has_heading:
        names = [str(number) for number in range(1, len(names) + 1)]
    skipped = int(has_heading)
    return BarFile(names, delimiter, 1 + skipped, lambda: _read_csv(file, skipped))


def list_records(file: Path, numbers: set[int]) -> dict[int, str]:
    """Return the lines of these numbers as they came, of CSV alone."""
    if not numbers or ending_of(file) == ".parquet":
        return {}
    with _open_csv(file) as lines:
        found = {}
        for number, line in enumerate(lines, 1):
            if number in numbers:
                found[number] = line.decode("utf-8", "replace").strip()[:_MOST_SHOWN]
            if number >= max(numbers):
                break
    return found


@contextmanager
def _open_csv(file: Path) -> Iterator[IO[bytes] | gzip.GzipFile]:
    """Open a CSV file; raise RefusedError inside the block if it cannot be read or decompressed."""
    try:
        with gzip.open(file, "rb") if file.name.lower().endswith(".gz") else file.open("rb") as lines:
            yield lines
    except (OSError, EOFError, zlib.error) as error:
        raise RefusedError(f"cannot read {file}: {error}") from None


def _read_csv(file: Path, skipped: int) -> Iterator[bytes]:
    with _open_csv(file) as lines:
        for _ in range(skipped):
            lines.readline()
        while block := lines.read(_BLOCK):
            yield block + lines.readline()
