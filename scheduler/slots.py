"""Which slots of a schedule entry are due, pure: slots are the multiples of its period since 1970."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOST_NOTED = 1000  # skipped slots noted at once; a year's absence must not write a year of rows


class Missed(StrEnum):
    """What to do about slots that passed while nobody looked."""

    SKIP = "skip"  # wait for the next slot
    RUN_ONCE = "run_once"  # run the newest now
    CATCH_UP = "catch_up"  # run every one, oldest first, one a machine second


@dataclass(frozen=True, slots=True)
class SlotPlan:
    """The slot to run now, if any, and the slots that will never run, oldest first."""

    run: datetime | None
    skipped: tuple[datetime, ...] = ()


def slot_at(now: datetime, every: timedelta) -> datetime:
    """Return the newest slot that is not after `now`."""
    return _EPOCH + (now - _EPOCH) // every * every


def plan(now: datetime, every: timedelta, last: datetime | None, missed: Missed) -> SlotPlan:
    """Decide at most one slot to run; `last` is the newest slot already dealt with, None at the very first look."""
    newest = slot_at(now, every)
    if last is None:
        return SlotPlan(newest)
    if newest <= last:
        return SlotPlan(None)
    if missed is Missed.CATCH_UP:
        return SlotPlan(last + every)
    count = min((newest - last) // every - 1, MOST_NOTED)
    passed = tuple(newest - every * n for n in range(count, 0, -1))
    if missed is Missed.SKIP and passed:
        return SlotPlan(None, (*passed, newest))
    return SlotPlan(newest, passed)
