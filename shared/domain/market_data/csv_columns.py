"""Fields of CSV as matrices of characters, so that a whole column is read at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.domain.market_data.bar_columns import Integers

# A row for each place in the texts, a column for each text, and zeros behind its end.
Characters = NDArray[np.uint8]
_WIDEST = 40


@dataclass(frozen=True, slots=True, eq=False)
class CsvBlock:
    """Lines of a CSV file: the places of the fields of each line that has as many as expected.

    `starts` and `ends` have a row per line, whose number is in `lines`. `ragged` are the numbers of other lines, but
    for empty ones. `line_count` is the number of all.
    """

    data: Characters
    starts: Integers
    ends: Integers
    lines: Integers
    ragged: Integers
    line_count: int

    def read_column(self, number: int) -> Characters:
        """Return the texts of a column, counted from 0; one that is longer than any value becomes question marks."""
        starts, lengths = self.starts[:, number], self.ends[:, number] - self.starts[:, number]
        offsets = np.arange(min(int(lengths.max(initial=1)), _WIDEST))[:, None]
        texts: Characters = self.data[np.minimum(starts + offsets, len(self.data) - 1)]
        texts[offsets >= lengths] = 0
        texts[:, lengths > _WIDEST] = ord("?")
        return texts


def split_csv(data: bytes, delimiter: str, field_count: int, first_line: int) -> CsvBlock:
    """Split whole lines of CSV, of which the first has the number `first_line`; quotes are left out.

    So a field that has the delimiter inside quotes makes its line ragged.
    """
    cut = delimiter.encode()
    text = data.replace(b"\r\n", b"\n").replace(b'"', b"").replace(cut + b" ", cut)
    text = text if text.endswith(b"\n") or not text else text + b"\n"
    characters = np.frombuffer(text, dtype=np.uint8)
    ends = np.flatnonzero(characters == ord("\n"))
    starts = np.concatenate(([0], ends[:-1] + 1))[: len(ends)]
    cuts = np.flatnonzero(characters == ord(cut))
    first_cuts = np.searchsorted(cuts, starts)
    counts = np.searchsorted(cuts, ends) - first_cuts + 1
    lines = first_line + np.arange(len(ends))
    is_whole = (counts == field_count) & (starts < ends)
    inner = cuts[first_cuts[is_whole][:, None] + np.arange(field_count - 1)]
    return CsvBlock(
        characters,
        np.column_stack([starts[is_whole], inner + 1]),
        np.column_stack([inner, ends[is_whole]]),
        lines[is_whole],
        lines[~is_whole & (starts < ends)],
        len(ends),
    )


def join_columns(first: Characters, second: Characters) -> Characters:
    """Return each text of the first with a space and that of the second behind it; those of the first are as long."""
    space = np.full((1, first.shape[1]), ord(" "), dtype=np.uint8)
    return np.concatenate([first, space, second])
