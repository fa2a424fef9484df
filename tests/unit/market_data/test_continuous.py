"""A continuous series: each minute once, stitched where the next contract takes over, and adjusted as asked."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.market_data.bar import MINUTE, Bar
from shared.domain.market_data.bar_columns import BarColumns, from_bars, time_of
from shared.domain.market_data.calendar import trading_day_begins
from shared.domain.market_data.continuous import Adjustment, stitch
from shared.errors import RefusedError

MARCH, MAY, JUNE, SEPTEMBER = (f"CON.F.US.MNQ.{letter}26" for letter in "HKMU")
FIRST = date(2026, 3, 9)
DAYS = [FIRST + timedelta(days=number) for number in range(4)]  # Monday to Thursday


def bars_of(volumes: dict[date, int], price: int) -> BarColumns:
    """Return ten minutes of each day, at a price that rises by a tick a minute."""
    made = []
    for day, volume in volumes.items():
        for minute in range(10):
            at = trading_day_begins(day) + minute * MINUTE
            close = price + (day - FIRST).days * 10 + minute
            made.append(Bar(at, close - 1, close + 2, close - 2, close, volume))
    return from_bars(made)


OLD = bars_of({DAYS[0]: 90, DAYS[1]: 50, DAYS[2]: 40, DAYS[3]: 10}, 1_000)
NEW = bars_of({DAYS[0]: 10, DAYS[1]: 60, DAYS[2]: 70, DAYS[3]: 90}, 1_100)
ROLLED_AT = trading_day_begins(DAYS[2])


def closes(adjustment: Adjustment) -> list[int]:
    found: list[int] = stitch([(MARCH, OLD), (JUNE, NEW)], adjustment).bars.close.tolist()
    return found


def test_the_next_contract_follows_on_the_day_after_it_was_traded_more() -> None:
    made = stitch([(MARCH, OLD), (JUNE, NEW)])

    assert OLD.seconds.tolist() == made.bars.seconds.tolist()
    assert [(ROLLED_AT, MARCH, JUNE)] == [(one.at, one.before, one.after) for one in made.stitches]
    assert [(1_019, 1_119)] == [(one.close_before, one.close_after) for one in made.stitches]
    assert [*OLD.close[:20].tolist(), *NEW.close[20:].tolist()] == closes("none")


def test_older_prices_are_raised_by_the_difference_or_the_ratio() -> None:
    new = NEW.close[20:].tolist()

    assert [*(OLD.close[:20] + 100).tolist(), *new] == closes("difference")
    assert [*(round(close * 1_119 / 1_019) for close in OLD.close[:20].tolist()), *new] == closes("ratio")


def test_the_day_of_the_roll_may_be_given() -> None:
    made = stitch([(MARCH, OLD), (JUNE, NEW)], roll_days={JUNE: DAYS[3]})

    assert [trading_day_begins(DAYS[3])] == [one.at for one in made.stitches]


def test_a_contract_that_is_never_traded_less_is_used_to_its_end() -> None:
    short = OLD[:15]
    quiet = bars_of(dict.fromkeys(DAYS, 1), 1_100)
    made = stitch([(MARCH, short), (JUNE, quiet)])

    assert OLD.seconds.tolist() == made.bars.seconds.tolist()
    assert [time_of(int(OLD.seconds[15]))] == [one.at for one in made.stitches]


def test_a_contract_that_was_not_rolled_to_is_left_out() -> None:
    thin = bars_of(dict.fromkeys(DAYS[1:], 1), 1_300)[::4]
    made = stitch([(MARCH, OLD), (JUNE, NEW), (SEPTEMBER, thin)], "difference")

    assert stitch([(MARCH, OLD), (JUNE, NEW)], "difference").bars.close.tolist() == made.bars.close.tolist()
    assert [MARCH, JUNE] == [part.contract_id for part in made.parts]
    assert [JUNE, SEPTEMBER] == [
        part.contract_id for part in stitch([(MARCH, OLD[:0]), (JUNE, NEW[:30]), (SEPTEMBER, thin)]).parts
    ]


def test_the_active_contract_is_used_while_the_one_before_is_still_traded() -> None:
    before, quiet = OLD[:31], bars_of(dict.fromkeys(DAYS, 1), 1_100)
    made = stitch([(MARCH, before), (JUNE, quiet)], active_id=JUNE)

    assert [trading_day_begins(DAYS[3])] == [one.at for one in made.stitches]
    assert [*OLD.close[:30].tolist(), *quiet.close[30:].tolist()] == made.bars.close.tolist()
    for active_id, newest in ((None, quiet), (MARCH, quiet), (JUNE, quiet[:30])):
        parts = stitch([(MARCH, before), (JUNE, newest)], active_id=active_id).parts
        assert [MARCH] == [part.contract_id for part in parts]


@pytest.mark.parametrize("newest", [NEW, NEW[:25]])
def test_a_thin_month_between_two_that_are_traded_moves_no_roll(newest: BarColumns) -> None:
    thin = bars_of(dict.fromkeys(DAYS, 1), 1_050)
    made = stitch([(MARCH, OLD[:30]), (MAY, thin), (JUNE, newest)])

    assert [(ROLLED_AT, MARCH, JUNE)] == [(one.at, one.before, one.after) for one in made.stitches]
    assert [*OLD.close[:20].tolist(), *newest.close[20:].tolist()] == made.bars.close.tolist()


def test_a_thin_month_is_used_if_none_is_traded_after_the_one_before() -> None:
    thin, few = bars_of(dict.fromkeys(DAYS, 1), 1_050), bars_of(dict.fromkeys(DAYS[:2], 5), 1_100)
    made = stitch([(MARCH, OLD[:20]), (MAY, thin), (JUNE, few)])

    assert [MARCH, MAY] == [part.contract_id for part in made.parts]
    assert [*OLD.close[:20].tolist(), *thin.close[20:].tolist()] == made.bars.close.tolist()


VOLUMES = st.dictionaries(st.sampled_from(DAYS), st.integers(0, 3)).map(lambda drawn: dict(sorted(drawn.items())))
SERIES = st.tuples(VOLUMES, st.integers(0, 20), st.integers(1, 40))


@given(
    st.lists(SERIES, min_size=1, max_size=4),
    st.none() | st.sampled_from("0123"),
    st.dictionaries(st.sampled_from("0123"), st.sampled_from([*DAYS, DAYS[-1] + timedelta(days=1)])),
)
def test_each_part_of_a_series_ends_after_its_start_and_where_the_next_begins(
    drawn: list[tuple[dict[date, int], int, int]], active_id: str | None, roll_days: dict[str, date]
) -> None:
    contracts = [
        (str(number), bars_of(volumes, 1_000)[first:end]) for number, (volumes, first, end) in enumerate(drawn)
    ]
    made = stitch(contracts, roll_days=roll_days, active_id=active_id)

    assert all(part.span.start < part.span.end for part in made.parts)
    assert all(before.span.end == after.span.start for before, after in pairwise(made.parts))
    assert sorted(set(made.bars.seconds.tolist())) == made.bars.seconds.tolist()
    assert any(len(bars) for _, bars in contracts) == bool(made.parts)


def test_the_next_contract_follows_where_the_bars_of_the_one_before_end_on_the_day_it_was_traded_more() -> None:
    made = stitch([(MARCH, OLD[:15]), (JUNE, NEW)])

    assert OLD.seconds.tolist() == made.bars.seconds.tolist()
    assert [time_of(int(NEW.seconds[15]))] == [one.at for one in made.stitches]
    assert [(1_014, 1_114)] == [(one.close_before, one.close_after) for one in made.stitches]


@pytest.mark.parametrize("below", [0, -1])
def test_a_ratio_across_a_close_that_is_not_above_0_is_refused(below: int) -> None:
    before = bars_of({DAYS[0]: 90, DAYS[1]: 50}, below - 19)
    with pytest.raises(RefusedError, match=f"cannot adjust by ratio where {JUNE} follows {MARCH} at 2026-03-10 22:00"):
        stitch([(MARCH, before), (JUNE, NEW)], "ratio")

    assert 1_119 - below == stitch([(MARCH, before), (JUNE, NEW)], "difference").bars.close[0] - before.close[0]


def test_contracts_that_were_never_traded_at_once_are_joined_by_last_close_and_first_open() -> None:
    made = stitch([(MARCH, OLD[:10]), (JUNE, NEW[30:])], "difference")

    assert [(1_009, 1_129)] == [(one.close_before, one.close_after) for one in made.stitches]
    assert (OLD.close[:10] + 120).tolist() == made.bars.close[:10].tolist()


def test_one_contract_and_none_are_series_without_a_stitch() -> None:
    assert () == stitch([(MARCH, OLD)]).stitches
    assert OLD.close.tolist() == stitch([(MARCH, OLD), (JUNE, NEW[:0])], "ratio").bars.close.tolist()
    assert 0 == len(stitch([]).bars)
