"""How far and how often the stop of a position follows the price, so that its moves leave requests to exits."""

from dataclasses import dataclass
from datetime import datetime, timedelta

# Unless it moves far, by half of its distance.
MOVE_EVERY = timedelta(seconds=5)
# After a change that the venue rejected; it doubles with each further one.
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(minutes=5)
# Of all accounts together: they share one request budget.
MOST_MOVES, MOVES_WITHIN = 30, timedelta(minutes=1)
_STEPS_IN_DISTANCE = 10
_MOST_DOUBLINGS = 6


@dataclass(frozen=True, slots=True)
class StopMoves:
    """When a stop was last changed, None for never, and how many changes the venue has rejected in a row since."""

    last_at: datetime | None = None
    rejected_count: int = 0


def step_of(trail_ticks: int) -> int:
    """Return the least move of a trailing stop, in ticks: a tenth of its distance, at least one."""
    return -(-trail_ticks // _STEPS_IN_DISTANCE)


def pause_after(rejected_count: int) -> timedelta:
    """Return how long a stop waits that the venue has refused to change so many times in a row."""
    return min(FIRST_PAUSE * (1 << min(rejected_count - 1, _MOST_DOUBLINGS)), LONGEST_PAUSE)


def may_move(past: StopMoves, ticks: int, trail_ticks: int | None, machine_now: datetime) -> bool:
    """Whether a stop may move by `ticks` now, `trail_ticks` being its distance; None for a move to breakeven only."""
    if past.last_at is None:
        return True
    age = abs(machine_now - past.last_at)
    if past.rejected_count:
        return age >= pause_after(past.rejected_count)
    return age >= MOVE_EVERY or trail_ticks is None or 2 * ticks >= trail_ticks
