"""How far and how often the stop of a position follows the price."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.orders.order import Side
from shared.domain.orders.protection import compute_protective_stop
from shared.domain.orders.stop_pace import StopMoves, may_move, step_of

NOW = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)


def seconds_ago(seconds: float, rejected_count: int = 0) -> StopMoves:
    return StopMoves(NOW - timedelta(seconds=seconds), rejected_count)


@pytest.mark.parametrize(("trail_ticks", "step"), [(4, 1), (10, 1), (11, 2), (40, 4), (400, 40)])
def test_a_step_is_a_tenth_of_the_distance_rounded_up(trail_ticks: int, step: int) -> None:
    assert step == step_of(trail_ticks)


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
@pytest.mark.parametrize(("gain", "moved"), [(3, 0), (4, 4), (30, 30), (-10, 0)])
def test_a_trailing_stop_moves_by_a_step_or_not_at_all(side: Side, gain: int, moved: int) -> None:
    """The entry was at 1000 and the stop is 40 ticks behind it."""
    best, stop = 1000 + gain * side.sign, 1000 - 40 * side.sign
    wanted = compute_protective_stop(side, 1000, best, stop, breakeven_ticks=None, trail_ticks=40)

    assert stop + moved * side.sign == wanted


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
@pytest.mark.parametrize("ticks", [1, 2, 3])
def test_a_stop_is_never_nearer_to_the_price_than_the_venue_accepts(side: Side, ticks: int) -> None:
    stop = 1000 - 40 * side.sign

    def wanted_at(gain: int, *, breakeven_ticks: int | None = None, trail_ticks: int | None = None) -> int:
        best = 1000 + gain * side.sign
        moved = compute_protective_stop(
            side, 1000, best, stop, breakeven_ticks=breakeven_ticks, trail_ticks=trail_ticks
        )
        return (moved - 1000) * side.sign

    assert 20 - 4 == wanted_at(20, trail_ticks=ticks)
    assert -40 == wanted_at(ticks, breakeven_ticks=ticks)
    assert 0 == wanted_at(4, breakeven_ticks=ticks)


@pytest.mark.parametrize(
    ("past", "ticks", "trail_ticks", "may"),
    [
        (StopMoves(), 4, 40, True),
        (seconds_ago(4), 4, 40, False),
        (seconds_ago(4), 19, 40, False),
        (seconds_ago(4), 20, 40, True),
        (seconds_ago(5), 4, 40, True),
        (seconds_ago(0), 40, None, True),
        (seconds_ago(-4), 4, 40, False),
        (seconds_ago(-3600), 4, 40, True),
    ],
)
def test_a_stop_moves_every_few_seconds_unless_it_moves_far(
    past: StopMoves,
    ticks: int,
    trail_ticks: int | None,
    may: bool,  # noqa: FBT001
) -> None:
    assert may is may_move(past, ticks, trail_ticks, NOW)


@pytest.mark.parametrize(("rejected_count", "pause"), [(1, 5), (2, 10), (3, 20), (6, 160), (7, 300), (100, 300)])
def test_the_pause_grows_with_each_rejected_move_however_far_the_next_is(rejected_count: int, pause: int) -> None:
    assert not may_move(seconds_ago(pause - 1, rejected_count), 1000, None, NOW)
    assert may_move(seconds_ago(pause, rejected_count), 1000, None, NOW)
