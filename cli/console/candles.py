"""Candles drawn with text: two heights a line, prices at the right and times below."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import click

from shared.domain.market_data.bar import Bar
from shared.domain.market_data.price_text import format_price

_NONE, _WICK, _BODY = range(3)
# By what is in the upper and in the lower half of a cell.
_RISING = {(_BODY, _BODY): "┃", (_BODY, _NONE): "╹", (_NONE, _BODY): "╻", (_BODY, _WICK): "╿", (_WICK, _BODY): "╽"}
_FALLING = {(_BODY, _BODY): "█", (_BODY, _NONE): "▀", (_NONE, _BODY): "▄", (_BODY, _WICK): "▀", (_WICK, _BODY): "▄"}
_WICKS = {(_NONE, _NONE): " ", (_WICK, _WICK): "│", (_WICK, _NONE): "╵", (_NONE, _WICK): "╷"}
_LINES_PER_PRICE = 4
_COLUMNS_PER_TIME = 14
_LEAST_WIDTH, _LEAST_HEIGHT = 20, 6
_WHOLE_DAYS = timedelta(hours=20)


@dataclass(frozen=True, slots=True)
class ChartStyle:
    """How large a chart is, in columns and lines, and what the terminal can show."""

    width: int
    height: int
    is_ascii: bool = False
    is_colored: bool = False


def can_show_unicode(encoding: str | None) -> bool:
    """Whether a terminal with this encoding can show the characters of a chart."""
    try:
        "│█┤".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def count_candles(style: ChartStyle, tick_size: Decimal, highest: int) -> int:
    """Return how many candles a chart has room for, side by side."""
    return max(style.width, _LEAST_WIDTH) - _axis_width(tick_size, highest)


def draw_candles(bars: Sequence[Bar], tick_size: Decimal, style: ChartStyle) -> list[str]:
    """Return the lines of a chart of bars, oldest first, of which there is one or more and no more than have room.

    A rising candle has a thin body, a falling one a broad one, so that they differ without colours too. Times are
    market time, in UTC.
    """
    low, high = min(bar.low for bar in bars), max(bar.high for bar in bars)
    width = count_candles(style, tick_size, high)
    rows = max(style.height, _LEAST_HEIGHT) - 2
    step = 2 if 2 * len(bars) <= width else 1
    candles = [_draw_candle(bar, low, high, rows, style=style) for bar in bars]
    lines = []
    for row in range(rows):
        has_price = row % _LINES_PER_PRICE == 0 or row == rows - 1
        cells = (" " * (step - 1)).join(candle[row] for candle in candles)
        blank = " " * (width - step * (len(bars) - 1) - 1)
        edge = ("+" if has_price else "|") if style.is_ascii else "┤" if has_price else "│"
        price = f" {format_price(_price_at(row, low, high, rows) * tick_size, tick_size)}" if has_price else ""
        lines.append(f"{cells}{blank}{edge}{price}")
    return [*lines, *_draw_times(bars, step, width, is_ascii=style.is_ascii)]


def _axis_width(tick_size: Decimal, highest: int) -> int:
    return 2 + len(format_price(highest * tick_size, tick_size))


def _draw_candle(bar: Bar, low: int, high: int, rows: int, *, style: ChartStyle) -> list[str]:
    """Return the cells of a candle, the highest first."""
    is_rising = bar.close >= bar.open
    top, bottom, upper, lower = (
        _half_of(price, low, high, rows)
        for price in (bar.high, bar.low, max(bar.open, bar.close), min(bar.open, bar.close))
    )
    halves = [
        _BODY if upper <= half <= lower else _WICK if top <= half <= bottom else _NONE for half in range(2 * rows)
    ]
    pairs = [(halves[2 * row], halves[2 * row + 1]) for row in range(rows)]
    if style.is_ascii:
        body = "o" if is_rising else "#"
        cells = [body if _BODY in pair else "|" if _WICK in pair else " " for pair in pairs]
    else:
        drawn = _WICKS | (_RISING if is_rising else _FALLING)
        cells = [drawn[pair] for pair in pairs]
    if not style.is_colored:
        return cells
    color = "green" if is_rising else "red"
    return [cell if cell == " " else click.style(cell, fg=color) for cell in cells]


def _half_of(price: int, low: int, high: int, rows: int) -> int:
    """Return the half line of a price, 0 for the highest."""
    if high == low:
        return rows
    return round(Decimal((high - price) * (2 * rows - 1)) / (high - low))


def _price_at(row: int, low: int, high: int, rows: int) -> int:
    """Return the price in ticks at the middle of a line; of the first and the last line the highest and the lowest."""
    if row in {0, rows - 1}:
        return low if row else high
    return high - round(Decimal((high - low) * (4 * row + 1)) / (2 * (2 * rows - 1)))


def _draw_times(bars: Sequence[Bar], step: int, width: int, *, is_ascii: bool) -> tuple[str, str]:
    """Return the line below the candles, and the one with the times."""
    marks, labels, before = list(("-" if is_ascii else "─") * width), " " * (width + 1), None
    are_days = len(bars) > 1 and bars[1].start - bars[0].start >= _WHOLE_DAYS
    for number in range(0, len(bars), -(-_COLUMNS_PER_TIME // step)):
        label = _label(bars[number].start, before, are_days=are_days)
        place = number * step
        if place + len(label) > len(labels):
            break
        marks[place] = "+" if is_ascii else "┬"
        labels = labels[:place] + label + labels[place + len(label) :]
        before = bars[number].start
    return "".join(marks) + ("+" if is_ascii else "┘"), labels.rstrip()


def _label(at: datetime, before: datetime | None, *, are_days: bool) -> str:
    if are_days:
        return f"{at:%Y-%m-%d}"
    return f"{at:%H:%M}" if before is not None and before.date() == at.date() else f"{at:%m-%d %H:%M}"
