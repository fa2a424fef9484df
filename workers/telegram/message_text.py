"""Answers that fit into a message: the lines that do not are counted in its last line."""

from collections.abc import Sequence

from shared.bot_api import MOST_UNITS
from shared.domain.counting import count_of

_LONGEST_LINE = 1_000  # units of UTF-16


def fit_lines(lines: Sequence[str], elsewhere: str, last: str | None = None) -> str:
    """Return the first of the lines, as many as fit, a line that counts the others and says where they are, and `last`.

    A line of more than 1,000 UTF-16 units is cut, which shows by three dots at its end.
    """
    single = [_cut(one) for line in lines for one in line.splitlines()]
    ends = [] if last is None else [_cut(last)]
    candidates = (
        "\n".join([*single[:count], *_count_rest(len(single) - count, elsewhere), *ends])
        for count in range(len(single), -1, -1)
    )
    return next(one for one in candidates if _count_units(one) <= MOST_UNITS)


def _count_rest(count: int, elsewhere: str) -> list[str]:
    return [f"... {count_of(count, 'line')} more: {elsewhere}"] if count else []


def _cut(line: str) -> str:
    if _count_units(line) <= _LONGEST_LINE:
        return line
    return line.encode("utf-16-le", "replace")[: 2 * (_LONGEST_LINE - 4)].decode("utf-16-le", "ignore") + " ..."


def _count_units(text: str) -> int:
    return len(text.encode("utf-16-le", "replace")) // 2
