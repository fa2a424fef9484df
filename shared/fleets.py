"""The five queues, their deadlines, and the fleets of worker processes that serve them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from shared.errors import SettingsError


class Queue(StrEnum):
    """The queue of a job; the members are in order of importance."""

    CRITICAL = "critical"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"
    BACKGROUND = "background"


LEASE = timedelta(seconds=10)  # how long a worker keeps its jobs without a heartbeat

DEADLINES: dict[Queue, timedelta] = {
    Queue.CRITICAL: timedelta(seconds=30),
    Queue.HIGH: timedelta(seconds=60),
    Queue.NORMAL: timedelta(seconds=120),
    Queue.LOW: timedelta(seconds=300),
    Queue.BACKGROUND: timedelta(hours=6),
}

# The longest pause between two tries of a job while what it needs, such as the venue, does not answer.
RETRY_CAPS: dict[Queue, timedelta] = {
    Queue.CRITICAL: timedelta(seconds=5),
    Queue.HIGH: timedelta(seconds=15),
    Queue.NORMAL: timedelta(seconds=30),
    Queue.LOW: timedelta(minutes=2),
    Queue.BACKGROUND: timedelta(minutes=5),
}

ORDERING = (Queue.CRITICAL, Queue.HIGH)  # their jobs may send orders

BATCHED = (Queue.LOW, Queue.BACKGROUND)  # their transactional jobs run in batches when many wait

# Most queued jobs; a full queue refuses more. The critical, high and normal queues are unbounded.
MAX_QUEUED: dict[Queue, int] = {Queue.LOW: 100_000, Queue.BACKGROUND: 100_000}


@dataclass(frozen=True, slots=True)
class Fleet:
    """Worker processes that serve the same queues, the most important queue first."""

    name: str
    queues: tuple[Queue, ...]
    slots: int
    niceness: int = 0

    @property
    def program(self) -> str:
        """The name of this fleet in `up`, Compose and `status`."""
        return f"worker-{self.name}"

    @property
    def visibility(self) -> timedelta:
        """How long Redis, as the broker, waits for an acknowledgement: longer than any job of this fleet may run."""
        longest = max((DEADLINES[queue] for queue in self.queues), default=timedelta())
        return 2 * longest + timedelta(seconds=60)


FLEETS: tuple[Fleet, ...] = (
    Fleet("critical", (Queue.CRITICAL,), slots=4),
    Fleet("high", (Queue.HIGH,), slots=4),
    Fleet("normal", (Queue.NORMAL,), slots=4),
    Fleet("bulk", (Queue.LOW, Queue.BACKGROUND), slots=8, niceness=10),
)

# Compose runs one of these per queue instead: each can then be scaled and limited alone.
FLEET_PER_QUEUE: tuple[Fleet, ...] = tuple(Fleet(queue.value, (queue,), slots=4) for queue in Queue)


def fleet_named(name: str, slots: Mapping[str, int] | None = None) -> Fleet:
    """Return the fleet called `name`, with its slots if set; raise LookupError that lists the known fleets."""
    fleets = {fleet.name: fleet for fleet in (*FLEET_PER_QUEUE, *FLEETS)}
    if name not in fleets:
        raise LookupError(f"unknown fleet {name!r}: expected one of {', '.join(sorted(fleets))}")
    fleet = fleets[name]
    return replace(fleet, slots=(slots or {}).get(name, fleet.slots))


def list_unserved(running: Collection[str]) -> list[Queue]:
    """Return the queues that none of the fleets with these names serves; programs that are no fleet serve none."""
    served = {queue for fleet in (*FLEETS, *FLEET_PER_QUEUE) if fleet.name in running for queue in fleet.queues}
    return [queue for queue in Queue if queue not in served]


def require_known_fleets(slots: Mapping[str, int]) -> None:
    """Raise SettingsError if a number of slots is set for a fleet that does not exist."""
    try:
        for name in slots:
            fleet_named(name)
    except LookupError as error:
        raise SettingsError(f"invalid slots: {error}") from None


def count_slots(slots: Mapping[str, int] | None = None) -> int:
    """Return how many jobs `up` can run at once, with the numbers of slots that are set."""
    return sum(fleet_named(fleet.name, slots).slots for fleet in FLEETS)


def slots_of(queue: Queue) -> int:
    """Return how many jobs of `queue` can run at once across the fleets."""
    return sum(fleet.slots for fleet in FLEETS if queue in fleet.queues)


def max_outstanding(queue: Queue) -> int:
    """Return how many wake-ups a queue may hold: enough to keep every slot busy, few enough to lose cheaply."""
    return 4 * max(slots_of(queue), 1)
