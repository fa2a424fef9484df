"""Numbers and times of whole columns of CSV are read as Python reads each by itself."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.market_data.csv_columns import Characters, split_csv
from shared.domain.market_data.csv_values import BILLIONTHS, read_decimals, read_times

CHICAGO = ZoneInfo("America/Chicago")
INSTANTS = st.datetimes(datetime(1970, 1, 2), datetime(2099, 12, 30), timezones=st.just(UTC)).map(
    lambda at: at.replace(microsecond=0)
)


def column(*texts: str) -> Characters:
    return split_csv("\n".join(f"{one},x" for one in texts).encode(), ",", 2, 1).read_column(0)


@given(st.lists(st.decimals(Decimal(-(10**8)), Decimal(10**8), places=9), min_size=1))
def test_decimals_are_exact(values: list[Decimal]) -> None:
    found, are_numbers = read_decimals(column(*(f"{one:f}" for one in values)))

    assert are_numbers.all()
    assert [int(one * BILLIONTHS) for one in values] == found.tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2673.8", 2_673_800_000_000),
        ("-37.63", -37_630_000_000),
        (".5", 500_000_000),
        ("7.", 7_000_000_000),
        ("384.0000000000000", 384_000_000_000),
        ("000000000002.5", 2_500_000_000),
        ("2673.80000000001", None),
        ("1234567890", None),
        ("1e3", None),
        ("1.2.3", None),
        ("5-", None),
        ("-", None),
        (".", None),
        ("1 000", None),
        ("nan", None),
        ("9" * 41, None),
        ("", None),
    ],
)
def test_what_is_a_number(text: str, expected: int | None) -> None:
    (value,), (is_number,) = read_decimals(column(text))

    assert (expected is not None, expected or 0) == (is_number, value)


@given(INSTANTS, st.sampled_from([timedelta(0), timedelta(hours=-6), timedelta(hours=5, minutes=30)]))
def test_times_with_an_offset_are_instants(at: datetime, offset: timedelta) -> None:
    local = at.astimezone(timezone(offset))
    number = int(at.timestamp())
    texts = [
        local.isoformat(), f"{local:%Y-%m-%d %H:%M:%S%z}", f"{at:%Y-%m-%dT%H:%M:%SZ}",
        f"{at:%Y/%m/%d %H:%M:%S.000} UTC", f"{number:010}", f"{number:010}000", f"{number:010}000000000",
    ]  # fmt: skip
    found = read_times(column(*texts), None)

    assert ([True] * len(texts),) * 4 == tuple(
        one.tolist() for one in (found.is_time, found.has_offset, found.is_certain, found.is_whole)
    )
    assert [number] * len(texts) == found.seconds.tolist()


@given(st.lists(INSTANTS, min_size=1, max_size=9))
def test_times_of_a_zone_are_those_that_its_clocks_show(instants: list[datetime]) -> None:
    walls = [at.astimezone(CHICAGO) for at in instants]
    found = read_times(column(*(f"{wall:%Y-%m-%d %H:%M:%S}" for wall in walls)), CHICAGO)

    is_twice = [wall.replace(fold=0).utcoffset() != wall.replace(fold=1).utcoffset() for wall in walls]
    assert [not one for one in is_twice] == found.is_certain.tolist()
    expected = [int(at.timestamp()) for at, unsure in zip(instants, is_twice, strict=True) if not unsure]
    assert expected == found.seconds[found.is_certain].tolist()
    assert not found.has_offset.any()


@pytest.mark.parametrize("text", ["2026-03-08 02:30", "2026-11-01 01:30"])
def test_a_time_that_the_clocks_tell_never_or_twice_is_not_certain(text: str) -> None:
    found = read_times(column(text), CHICAGO)

    assert ([True], [False]) == (found.is_time.tolist(), found.is_certain.tolist())


@pytest.mark.parametrize(
    ("text", "expected"),
    [("20241202 183000", "18:30"), ("20241202 1830", "18:30"), ("2024-12-02 18:30", "18:30"),
     ("20241202 18:30:00", "18:30"), ("2024/12/02 18:30:00", "18:30")],
)  # fmt: skip
def test_compact_forms_are_taken(text: str, expected: str) -> None:
    found = read_times(column(text), ZoneInfo("UTC"))

    assert found.is_time.all()
    assert f"2024-12-02T{expected}:00" == str(found.seconds.astype("datetime64[s]")[0])


@pytest.mark.parametrize(
    "text", ["12/02/2024 18:30", "2024-13-01 00:00", "2024-02-30 00:00", "2024-12-02 24:00", "2024-12-02 10:60",
             "2024-12-02", "18:30", "yesterday", "2024-12-02 10:00:61", "0001-01-01 00:00", "17330", ""],
)  # fmt: skip
def test_what_is_no_time(text: str) -> None:
    assert [False] == read_times(column(text), CHICAGO).is_time.tolist()


def test_a_fraction_of_a_second_is_no_whole_time() -> None:
    found = read_times(column("2024-12-02T10:00:00.500Z", "2024-12-02T10:00:00.000Z", "1733094000500"), None)

    assert [False, True, False] == found.is_whole.tolist()


def test_lines_with_another_number_of_fields_are_named_and_empty_ones_are_not() -> None:
    block = split_csv(b'a,"b"\r\n\r\nc\nd, e\nf,g,h', ",", 2, 7)

    assert ([7, 10], [9, 11], 5) == (block.lines.tolist(), block.ragged.tolist(), block.line_count)
    assert [b"be"] == [bytes(block.read_column(1)[0])]
    assert np.array_equal(block.read_column(0), column("a", "d"))
