"""Numbers and times from texts of CSV, a whole column at once and exactly."""

import re
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from shared.domain.market_data.bar_columns import Integers, time_of
from shared.domain.market_data.csv_columns import Characters

Flags = NDArray[np.bool_]
BILLIONTHS = 10**9
_PLACES = 9
_DIGITS = 10
_ZERO = ord("0")
_MOST_SHAPES = 50
_FIRST_YEAR, _LAST_YEAR = 1970, 2099
_QUARTER = 900  # no zone has changed its offset at another time than a whole quarter of an hour since 1970
# The shape of a time: its text with each digit as 0.
_CALENDAR_TIME = re.compile(
    r"(?P<date>0000([-/])00\2(?P<day>00)|00000000)[ T](?P<clock>00:00(:00(\.(?P<fraction>0{1,9}))?)?|000000|0000)"
    r" ?(?P<offset>Z|UTC|[+-]00:?00)?"
)
_EPOCH = {10: 1, 13: 1_000, 16: 1_000_000, 19: 1_000_000_000}
EXPECTED_TIMES = "2026-03-09T14:30:00Z, 2026-03-09 14:30, 20260309 143000 or seconds since 1970"


@dataclass(frozen=True, slots=True, eq=False)
class Times:
    """An element per text: the time in seconds since 1970 (UTC), and whether it is one.

    `is_whole` says whether it is a whole second, `is_certain` whether it is told once in its zone: not in the hour in
    which clocks are set back or forward. `has_offset` is False for one that does not say its offset from UTC.
    """

    seconds: Integers
    is_time: Flags
    is_whole: Flags
    is_certain: Flags
    has_offset: Flags


def read_decimals(texts: Characters) -> tuple[Integers, Flags]:
    """Return numbers in billionths, and which texts are numbers with at most nine digits on each side of the point.

    Zeros behind those are taken too; an exponent and a separator of thousands are not.
    """
    count = texts.shape[1]
    value, digit_count, after = (np.zeros(count, dtype=np.int64) for _ in range(3))
    has_point = np.zeros(count, dtype=np.bool_)
    is_number = np.ones(count, dtype=np.bool_)
    is_negative = texts[0] == ord("-")
    for place, characters in enumerate(texts):
        digits = characters - np.uint8(_ZERO)
        is_digit = digits < _DIGITS
        is_point = characters == ord(".")
        is_number &= is_digit | (is_point & ~has_point) | (characters == 0)
        if place == 0:
            is_number |= is_negative
        is_kept = is_digit & (after < _PLACES)
        is_number &= ~(is_digit & ~is_kept & (digits > 0))
        value = np.where(is_kept & (digit_count < 2 * _PLACES), value * 10 + digits, value)
        digit_count += is_digit
        after += is_kept & has_point
        has_point |= is_point
    is_number &= (digit_count > 0) & (value < 10 ** (_PLACES + after))
    value = np.where(is_number, value * 10 ** (_PLACES - after), 0)
    return np.where(is_negative, -value, value), is_number


def read_times(texts: Characters, zone: ZoneInfo | None) -> Times:
    """Return the times of texts in any of the usual forms; one without an offset is of `zone`, or of UTC without it."""
    count = texts.shape[1]
    seconds = np.zeros(count, dtype=np.int64)
    is_time, has_fraction, is_unsure, lacks_offset = (np.zeros(count, dtype=np.bool_) for _ in range(4))
    digits = texts - np.uint8(_ZERO)
    shapes = np.where(digits < _DIGITS, np.uint8(_ZERO), texts)
    left = np.arange(count)
    for _ in range(_MOST_SHAPES):
        if not len(left):
            break
        shape = shapes[:, left[0]]
        is_same = (shapes[:, left] == shape[:, None]).all(axis=0)
        rows, left = left[is_same], left[~is_same]
        text = bytes(shape).rstrip(b"\0").decode("latin-1")
        values = digits[:, rows].astype(np.int64)
        if text == "0" * len(text) and len(text) in _EPOCH:
            number = _join(values[: len(text)])
            seconds[rows], is_time[rows] = number // _EPOCH[len(text)], True
            has_fraction[rows] = number % _EPOCH[len(text)] > 0
        elif (found := _CALENDAR_TIME.fullmatch(text)) is not None:
            wall, is_time[rows] = _read_calendar(values, found)
            if found["fraction"]:
                has_fraction[rows] = values[slice(*found.span("fraction"))].any(axis=0)
            if found["offset"] is not None:
                seconds[rows] = wall - _read_offset(texts[:, rows], values, found)
            else:
                seconds[rows], is_unsure[rows] = (wall, False) if zone is None else _to_utc(wall, zone)
                lacks_offset[rows] = is_time[rows]
    return Times(seconds, is_time, ~has_fraction, ~is_unsure, ~lacks_offset)


def _join(digits: Integers) -> Integers:
    """Return the number that rows of digits make, the first row the highest."""
    value = np.zeros(digits.shape[1], dtype=np.int64)
    for row in digits:
        value = value * 10 + row
    return value


def _read_calendar(values: Integers, found: "re.Match[str]") -> tuple[Integers, Flags]:
    """Return times of one shape in seconds since 1970 as a clock shows them, and which there are."""
    month_at, day_at = (5, found.start("day")) if found["day"] else (4, 6)
    year, month, day = _join(values[:4]), _join(values[month_at : month_at + 2]), _join(values[day_at : day_at + 2])
    step = 3 if ":" in found["clock"] else 2
    places = range(found.start("clock"), found.end("clock"), step)[:3]
    hour, minute, *second = (_join(values[at : at + 2]) for at in places)
    is_time = (year >= _FIRST_YEAR) & (year <= _LAST_YEAR) & (month >= 1) & (month <= 12)  # noqa: PLR2004
    months = np.where(is_time, (year - _FIRST_YEAR) * 12 + month - 1, 0)
    first, following = (one.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) for one in
                        (months, months + 1))  # fmt: skip
    is_time &= (day >= 1) & (day <= following - first) & (hour < 24) & (minute < 60)  # noqa: PLR2004
    clock = hour * 3_600 + minute * 60
    if second:
        is_time &= second[0] < 60  # noqa: PLR2004
        clock += second[0]
    return np.where(is_time, (first + day - 1) * 86_400 + clock, 0), is_time


def _read_offset(texts: Characters, values: Integers, found: "re.Match[str]") -> Integers:
    """Return the offsets from UTC in seconds."""
    start, end = found.span("offset")
    if found["offset"] in {"Z", "UTC"}:
        return np.zeros(texts.shape[1], dtype=np.int64)
    size = _join(values[start + 1 : start + 3]) * 3_600 + _join(values[end - 2 : end]) * 60
    return np.where(texts[start] == ord("-"), -size, size)


def _to_utc(wall: Integers, zone: ZoneInfo) -> tuple[Integers, Flags]:
    """Return times of a zone in UTC, and which of them its clocks tell twice or never."""
    quarters, index = np.unique(wall // _QUARTER, return_inverse=True)
    offsets = np.zeros((2, len(quarters)), dtype=np.int64)
    for number, quarter in enumerate(quarters.tolist()):
        at = time_of(quarter * _QUARTER).replace(tzinfo=zone)
        for fold in (0, 1):
            offset = at.replace(fold=fold).utcoffset()
            offsets[fold, number] = 0 if offset is None else offset.total_seconds()
    return wall - offsets[0][index], (offsets[0] != offsets[1])[index]
