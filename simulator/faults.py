"""Faults that can be armed: the kind, the place, the probability and the count."""

import random
from collections.abc import Iterable
from typing import Annotated, Any, Literal, get_args

import msgspec

from simulator.response_faults import RESPONSE_FAULTS

# Faults of a request or its answer. The kinds of the second line change the JSON of the answer.
RequestKind = Literal[
    "lose_before", "lose_answer_after", "delay", "delay_before", "status", "reject", "duplicate", "end_token",
    "null_list", "absent_list", "naive_timestamps", "seven_digits", "unknown_enum", "stale_search_open", "short_page",
]  # fmt: skip
# Faults of hub clients, of events and of fills; the kind implies the place.
StreamKind = Literal[
    "hub_drop", "hub_error", "hub_gap", "logout", "event_lost", "event_late", "event_duplicate", "event_reorder",
    "event_unwrapped", "quote_gap", "partial_fill",
]  # fmt: skip
STREAM_KINDS = frozenset(get_args(StreamKind))
EVERYWHERE = "*"


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fault of the requests for one path, or for all; docs/reference/simulator.md explains each kind.

    It happens with `probability` at each opportunity, at most `count` times (None: without limit). `seconds` are
    machine time: the delay of an answer or event, the length of an outage of hubs or quotes, the wait for the rest of a
    partial fill.
    `status` and `retry_after` (seconds, sent as such or as a date) belong to the kind `status`, `error_code` and
    `message` to `reject`.
    """

    kind: RequestKind | StreamKind
    on: str = EVERYWHERE
    probability: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1
    count: Annotated[int, msgspec.Meta(ge=1)] | None = None
    seconds: Annotated[float, msgspec.Meta(ge=0, le=600)] = 1
    status: Annotated[int, msgspec.Meta(ge=400, le=599)] = 500
    retry_after: Annotated[int, msgspec.Meta(ge=0, le=3600)] | None = None
    retry_after_as: Literal["seconds", "date"] = "seconds"
    error_code: Annotated[int, msgspec.Meta(ge=1)] = 2
    message: str | None = None

    def may_hit(self, target: str) -> bool:
        """Whether the fault can happen to `target`: a path, or a stream kind such as `hub_drop`."""
        if self.kind in STREAM_KINDS:
            return target == self.kind
        if target in STREAM_KINDS or self.on not in {EVERYWHERE, target}:
            return False
        return self.kind not in RESPONSE_FAULTS or RESPONSE_FAULTS[self.kind].applies_to(target)


class ArmedFault(msgspec.Struct):
    """An armed fault: how often it may still happen (None: without limit), and how often it has happened."""

    fault: Fault
    left: int | None
    met: int = 0


class Faults:
    """The armed faults, drawn in the order of arming. The same seed and requests give the same faults."""

    def __init__(self, seed: int = 0) -> None:
        self.armed: list[ArmedFault] = []
        self._seed = seed
        self._random = random.Random(seed)  # noqa: S311 - faults, not secrets

    def arm(self, fault: Fault) -> None:
        """Arm a fault after those already armed."""
        self.armed.append(ArmedFault(fault, fault.count))

    def replace(self, faults: Iterable[Fault], seed: int | None = None) -> None:
        """Arm these faults and no others, and restart the random draws from the seed."""
        self.disarm()
        self._seed = self._seed if seed is None else seed
        self._random.seed(self._seed)
        for fault in faults:
            self.arm(fault)

    def disarm(self) -> None:
        """Remove every fault."""
        self.armed.clear()

    def draw(self, target: str) -> Fault | None:
        """Return the first armed fault that happens now to a path or a stream kind, and count it; None if none does."""
        for armed in self.armed:
            if armed.left != 0 and armed.fault.may_hit(target) and self._happens(armed.fault.probability):
                armed.met += 1
                armed.left = None if armed.left is None else armed.left - 1
                return armed.fault
        return None

    def _happens(self, probability: float) -> bool:
        return probability >= 1 or self._random.random() < probability


class Preset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A named set of faults; in `storm` everything fails with `probability`."""

    preset: Literal["storm"]
    probability: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.05
    seed: int | None = None

    def faults(self) -> list[Fault]:
        """Return the faults. The kinds of one group share the probability: it is that of any of them happening.

        A hub client has a tenth of it: connection faults are drawn every second, and a careful client gives up on a
        venue that ends its session every few seconds.
        """
        return [
            Fault(**fault, probability=1 - (1 - self.probability * weight) ** (1 / len(kinds)))
            for weight, kinds in _STORM
            for fault in kinds
        ]


# Weight and kinds of the faults of a request, an answer, a hub client (about once a second), an event, a fill.
_STORM: tuple[tuple[float, tuple[dict[str, Any], ...]], ...] = (
    (
        1,
        (
            {"kind": "status", "status": 429, "retry_after": 1},
            {"kind": "status", "status": 429},
            {"kind": "status", "status": 500},
            {"kind": "end_token"},
            {"kind": "lose_before"},
            {"kind": "lose_answer_after"},
            {"kind": "duplicate"},
            {"kind": "delay", "seconds": 2},
            {"kind": "delay_before", "seconds": 2},
        ),
    ),
    (
        1,
        (
            {"kind": "null_list"},
            {"kind": "absent_list"},
            {"kind": "naive_timestamps"},
            {"kind": "seven_digits"},
            {"kind": "unknown_enum"},
            {"kind": "stale_search_open"},
            {"kind": "short_page"},
        ),
    ),
    (
        0.1,
        (
            {"kind": "hub_drop"},
            {"kind": "hub_error"},
            {"kind": "hub_gap", "seconds": 5},
            {"kind": "logout"},
            {"kind": "quote_gap", "seconds": 5},
        ),
    ),
    (
        1,
        (
            {"kind": "event_lost"},
            {"kind": "event_late", "seconds": 2},
            {"kind": "event_duplicate"},
            {"kind": "event_reorder"},
            {"kind": "event_unwrapped"},
        ),
    ),
    (1, ({"kind": "partial_fill"},)),
)
