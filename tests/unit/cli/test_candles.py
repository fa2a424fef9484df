"""Candles drawn with text, as they were last agreed on; TICKWORK_WRITE_TABLES=1 writes them anew."""

import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import click
import pytest

from cli.console.candles import ChartStyle, can_show_unicode, count_candles, draw_candles
from shared.domain.market_data.bar import Bar

FOLDER = Path(__file__).parent / "charts"
BEGINS = datetime(2026, 3, 9, 22, 30, tzinfo=UTC)
TICK = Decimal("0.25")
STYLES = {
    "wide": (ChartStyle(80, 18), 60),
    "narrow": (ChartStyle(40, 12), 14),
    "ascii": (ChartStyle(60, 12, is_ascii=True), 20),
}


def make_bars(count: int, step: timedelta = timedelta(minutes=5)) -> list[Bar]:
    random, made, close = Random(7), [], 80_000
    for number in range(count):
        start, close = close, close + random.randint(-20, 21)
        high, low = max(start, close) + random.randint(0, 9), min(start, close) - random.randint(0, 9)
        made.append(Bar(BEGINS + number * step, start, high, low, close, 1))
    return made


@pytest.mark.parametrize("name", STYLES)
def test_a_chart_looks_as_was_agreed_on(name: str) -> None:
    style, count = STYLES[name]
    lines = draw_candles(make_bars(count), TICK, style)
    text = "\n".join(line.rstrip() for line in lines) + "\n"
    file = FOLDER / f"{name}.txt"
    if os.environ.get("TICKWORK_WRITE_TABLES"):
        FOLDER.mkdir(exist_ok=True)
        file.write_text(text)

    assert file.read_text() == text
    assert style.height == len(lines)
    assert style.width >= max(map(len, lines))
    assert not style.is_ascii or text.isascii()


def test_bodies_and_wicks_of_a_candle_are_where_its_prices_are() -> None:
    rising = Bar(BEGINS, 2, 11, 0, 9, 1)
    falling = Bar(BEGINS + timedelta(minutes=1), 9, 11, 0, 2, 1)
    lines = draw_candles([rising, falling], TICK, ChartStyle(20, 8))

    assert ["│ │", "┃ █", "┃ █", "┃ █", "┃ █", "│ │"] == [line[:3] for line in lines[:6]]


def test_half_a_line_shows_the_end_of_a_body() -> None:
    rising = Bar(BEGINS, 1, 10, 1, 8, 1)
    falling = Bar(BEGINS + timedelta(minutes=1), 8, 11, 0, 1, 1)
    lines = draw_candles([rising, falling], TICK, ChartStyle(20, 8))

    assert ["╷ │", "╽ ▄", "┃ █", "┃ █", "┃ █", "╹ ▀"] == [line[:3] for line in lines[:6]]


def test_a_single_price_is_one_line_in_the_middle() -> None:
    lines = draw_candles([Bar(BEGINS, 5, 5, 5, 5, 0)], TICK, ChartStyle(20, 8))

    assert 1 == sum(line[0] != " " for line in lines[:6])


def test_colours_are_those_of_the_direction_and_change_nothing_else() -> None:
    bars = make_bars(10)
    plain, colored = (draw_candles(bars, TICK, ChartStyle(40, 12, is_colored=flag)) for flag in (False, True))

    assert plain == [click.unstyle(line) for line in colored]
    assert {"\x1b[32m", "\x1b[31m"} == {part[:5] for line in colored for part in line.split("\x1b[0m") if "\x1b" in part
                                        for part in [part[part.index("\x1b"):]]}  # fmt: skip


def test_longer_bars_have_days_below_them() -> None:
    lines = draw_candles(make_bars(8, timedelta(days=1)), TICK, ChartStyle(60, 12))

    assert lines[-1].startswith("2026-03-09")


@pytest.mark.parametrize("count", [1, 2, 30, 70])
def test_no_line_is_wider_than_the_terminal(count: int) -> None:
    style, bars = ChartStyle(80, 20), make_bars(count)

    assert count <= count_candles(style, TICK, max(bar.high for bar in bars))
    assert 80 >= max(map(len, draw_candles(bars, TICK, style)))


@pytest.mark.parametrize(
    ("encoding", "expected"), [("utf-8", True), ("ascii", False), ("iso-8859-1", False), (None, False), ("x", False)]
)
def test_a_terminal_whose_encoding_lacks_the_characters_gets_ascii(encoding: str | None, *, expected: bool) -> None:
    assert expected == can_show_unicode(encoding)
