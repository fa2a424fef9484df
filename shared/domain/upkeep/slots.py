"""The due slots of a schedule entry, without I/O: slots are the multiples of its period since 1970."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A pause of a year, or a clock that is set a year ahead, must not write a year of rows, or run a year of slots.
MAX_SKIPPED = 1000
MAX_CAUGHT_UP = 100


class Missed(StrEnum):
    """How to treat slots that passed while no beat ran."""

    SKIP = "skip"  # wait for the next slot
    RUN_ONCE = "run_once"  # run the newest slot now
    CATCH_UP = "catch_up"  # run the last MAX_CAUGHT_UP slots, oldest first, one per machine second


@dataclass(frozen=True, slots=True)
class SlotPlan:
    """The slot to run now, or None, and the slots that will never run, oldest first.

    `stepped_back_by` is by how much the clock was set back since the last slot, or None.
    """

    run: datetime | None
    skipped: tuple[datetime, ...] = ()
    stepped_back_by: timedelta | None = None

    @property
    def newest(self) -> datetime | None:
        """The newest slot that the plan deals with."""
        return self.run or (self.skipped[-1] if self.skipped else None)


def slot_at(now: datetime, every: timedelta) -> datetime:
    """Return the newest slot that is not after `now`."""
    return _EPOCH + (now - _EPOCH) // every * every


def plan(now: datetime, every: timedelta, last: datetime | None, missed: Missed) -> SlotPlan:
    """Choose at most one slot to run; `last` is the last slot that was processed, None before the first.

    If the newest slot lies more than one period before `last`, the clock was set back: the schedule goes on from now.
    """
    newest = slot_at(now, every)
    if last is None:
        return SlotPlan(newest)
    if newest < last - every:
        return SlotPlan(newest, stepped_back_by=last - newest)
    if newest <= last:
        return SlotPlan(None)
    if missed is Missed.CATCH_UP:
        first = max(slot_at(last, every) + every, newest - every * (MAX_CAUGHT_UP - 1))
        return SlotPlan(first, _list_slots(last, first, every))
    skipped = _list_slots(last, newest, every)
    if missed is Missed.SKIP and skipped:
        return SlotPlan(None, (*skipped, newest))
    return SlotPlan(newest, skipped)


def _list_slots(after: datetime, before: datetime, every: timedelta) -> tuple[datetime, ...]:
    """Return the last MAX_SKIPPED slots between two instants, oldest first; `before` is a slot."""
    count = min(-((after - before) // every) - 1, MAX_SKIPPED)
    return tuple(before - every * n for n in range(count, 0, -1))
