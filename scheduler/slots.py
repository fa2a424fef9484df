"""The due slots of a schedule entry, without I/O: slots are the multiples of its period since 1970."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_SKIPPED = 1000  # skipped slots recorded at once; a pause of a year must not write a year of rows


class Missed(StrEnum):
    """How to treat slots that passed while no beat ran."""

    SKIP = "skip"  # wait for the next slot
    RUN_ONCE = "run_once"  # run the newest slot now
    CATCH_UP = "catch_up"  # run every slot, oldest first, one per machine second


@dataclass(frozen=True, slots=True)
class SlotPlan:
    """The slot to run now, or None, and the slots that will never run, oldest first."""

    run: datetime | None
    skipped: tuple[datetime, ...] = ()


def slot_at(now: datetime, every: timedelta) -> datetime:
    """Return the newest slot that is not after `now`."""
    return _EPOCH + (now - _EPOCH) // every * every


def plan(now: datetime, every: timedelta, last: datetime | None, missed: Missed) -> SlotPlan:
    """Choose at most one slot to run; `last` is the newest slot already processed, None before the first."""
    newest = slot_at(now, every)
    if last is None:
        return SlotPlan(newest)
    if newest <= last:
        return SlotPlan(None)
    if missed is Missed.CATCH_UP:
        return SlotPlan(last + every)
    count = min((newest - last) // every - 1, MAX_SKIPPED)
    skipped = tuple(newest - every * n for n in range(count, 0, -1))
    if missed is Missed.SKIP and skipped:
        return SlotPlan(None, (*skipped, newest))
    return SlotPlan(newest, skipped)
