"""Misfortunes that can be switched on: what happens, where, how likely, and how often."""

import random
from collections.abc import Iterable
from typing import Annotated, Any, Literal, get_args

import msgspec

from simulator.response_faults import RESPONSE_FAULTS

# What happens to a request or its answer. The last line spoils the answer's document.
RequestKind = Literal[
    "lose_before", "lose_answer_after", "delay", "delay_before", "status", "reject", "duplicate", "end_token",
    "null_list", "absent_list", "naive_timestamps", "seven_digits", "unknown_enum", "stale_search_open", "short_page",
]  # fmt: skip
# What happens to a hub's clients, to events and to fills; where it happens is part of the kind.
StreamKind = Literal[
    "hub_drop", "hub_gap", "logout", "event_lost", "event_late", "event_duplicate", "event_reorder", "event_unwrapped",
    "partial_fill",
]  # fmt: skip
STREAM_KINDS = frozenset(get_args(StreamKind))
EVERYWHERE = "*"


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happens to requests for one path, or all of them; docs/simulator.md explains each kind.

    Each time it could happen it does with `probability`, until it has `count` times (None: for ever). `seconds` are
    machine time: how late a delayed answer or event is, how long a hub is away, how long the rest of an order waits.
    `status` and `retry_after` (seconds, sent as such or as a date) are for the kind `status`, `error_code` and
    `message` for `reject`.
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

    def may_meet(self, what: str) -> bool:
        """Whether it can happen to `what`: a path, or the kind of a thing that happens at a hub or to a fill."""
        if self.kind in STREAM_KINDS:
            return what == self.kind
        if what in STREAM_KINDS or self.on not in {EVERYWHERE, what}:
            return False
        return self.kind not in RESPONSE_FAULTS or RESPONSE_FAULTS[self.kind].can_spoil(what)


class Armed(msgspec.Struct):
    """A fault that is switched on: how often it may still happen (None: for ever), and how often it has."""

    fault: Fault
    left: int | None
    met: int = 0


class Faults:
    """The faults that are switched on, first armed first met. The same seed and requests meet the same faults."""

    def __init__(self, seed: int = 0) -> None:
        self.armed: list[Armed] = []
        self._seed = seed
        self._random = random.Random(seed)  # noqa: S311 - misfortunes, not secrets

    def arm(self, fault: Fault) -> None:
        """Switch on a fault, behind those that are."""
        self.armed.append(Armed(fault, fault.count))

    def replace(self, faults: Iterable[Fault], seed: int | None = None) -> None:
        """Switch on these and no others, and begin the draws anew."""
        self.disarm()
        self._seed = self._seed if seed is None else seed
        self._random.seed(self._seed)
        for fault in faults:
            self.arm(fault)

    def disarm(self) -> None:
        """Switch off every fault."""
        self.armed.clear()

    def meet(self, what: str) -> Fault | None:
        """Return the fault that happens now to a path, or as something that happens at a hub such as `hub_drop`."""
        for armed in self.armed:
            if armed.left != 0 and armed.fault.may_meet(what) and self._happens(armed.fault.probability):
                armed.met += 1
                armed.left = None if armed.left is None else armed.left - 1
                return armed.fault
        return None

    def _happens(self, probability: float) -> bool:
        return probability >= 1 or self._random.random() < probability


class Preset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Many faults by one name; `storm` lets `probability` of everything go wrong."""

    preset: Literal["storm"]
    probability: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.05
    seed: int | None = None

    def faults(self) -> list[Fault]:
        """Return the faults. The kinds of one line of the table share the probability: it is that of any of them.

        For a hub's client it is a tenth of that: it is drawn every second, and a venue that ends a session every few
        seconds is one that a careful client stops talking to.
        """
        return [
            Fault(**fault, probability=1 - (1 - self.probability * often) ** (1 / len(kinds)))
            for often, kinds in _STORM
            for fault in kinds
        ]


# How often, and what befalls a request, an answer, a hub's client (about once a second), an event, a fill.
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
    (0.1, ({"kind": "hub_drop"}, {"kind": "hub_gap", "seconds": 5}, {"kind": "logout"})),
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
