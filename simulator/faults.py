"""Misfortunes by switch: what may happen to a request, an answer, an event or a fill, how likely, and how often."""

import random
from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec

ANY = "*"  # every path of the venue
_PATHS = "/api/"

# What happens to a request.
Happening = Literal["lose_before", "lose_answer_after", "delay", "delay_before", "status", "reject"]
# What happens to the answer of one that was done.
Spoiling = Literal[
    "null_list", "absent_list", "naive_timestamps", "seven_digits", "unknown_enum", "stale_search_open", "short_page"
]
# What happens beside requests: to a hub's connections, to events, to fills.
BESIDE = (
    "hub_drop", "hub_gap", "logout", "event_duplicate", "event_late", "event_reorder", "event_unwrapped", "event_lost",
    "partial_fill",
)  # fmt: skip


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happens to each request of a path, or to each occasion named in `on`, with a probability, `count` times.

    `on` is a path such as /api/Order/place, "*" for every path, or what happens beside requests, such as hub_drop or
    partial_fill; those need no kind. `lose_before` cuts the connection and does nothing, `lose_answer_after` does what
    was asked and cuts; `delay` does it and answers `seconds` (machine time) late, `delay_before` does it so late, also
    for a client that has gone; `status` answers only that status, with `retry_after` (seconds, or an HTTP date) as its
    header; `reject` answers success=false with `error_code` and `message`, and does nothing. The other kinds spoil the
    answer: see simulator.spoiling.
    """

    on: str
    kind: Happening | Spoiling | Literal["occurs"] = "occurs"
    probability: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    count: Annotated[int, msgspec.Meta(ge=1)] | None = None
    seconds: Annotated[float, msgspec.Meta(ge=0, le=600)] = 1
    status: Annotated[int, msgspec.Meta(ge=400, le=599)] = 500
    retry_after: str | None = None
    error_code: Annotated[int, msgspec.Meta(ge=1)] = 2
    message: str | None = None

    def __post_init__(self) -> None:
        is_path = self.on == ANY or self.on.startswith(_PATHS)
        if not is_path and self.on not in BESIDE:
            raise ValueError(f"on {self.on!r}: give a path of the venue, {ANY!r}, or one of {', '.join(BESIDE)}")
        if is_path is (self.kind == "occurs"):
            raise ValueError(f"on {self.on!r}, kind {self.kind!r}: a path needs a kind, anything else has none")


def storm(probability: float) -> list[Fault]:
    """Return faults of every kind: so likely does a request meet one of them, and so likely an event one of its own."""
    requests: list[Fault] = [
        Fault(on=ANY, kind="delay", seconds=0.5),
        Fault(on=ANY, kind="delay_before", seconds=0.5),
        Fault(on=ANY, kind="lose_before"),
        Fault(on=ANY, kind="lose_answer_after"),
        Fault(on=ANY, kind="status", status=500),
        Fault(on=ANY, kind="status", status=401),
        Fault(on=ANY, kind="status", status=429),
        Fault(on=ANY, kind="status", status=429, retry_after="1"),
        *(Fault(on=ANY, kind=kind) for kind in Spoiling.__args__),  # type: ignore[attr-defined]  # a Literal's values
    ]
    beside = [Fault(on=on, seconds=0.2) for on in BESIDE]
    return [
        msgspec.structs.replace(fault, probability=probability / len(group))
        for group in (requests, beside)
        for fault in group
    ]


class Faults:
    """The armed faults, first armed first met; `seed` makes what chance decides repeatable."""

    def __init__(self, seed: int | None = None) -> None:
        self._random = random.Random(seed)  # noqa: S311  # it deals misfortune, and guards no secret
        self._armed: list[_Armed] = []
        self.met: Counter[str] = Counter()

    def arm(self, faults: Iterable[Fault]) -> None:
        """Arm faults behind those already there."""
        self._armed.extend(_Armed(fault, fault.count) for fault in faults)

    def disarm(self) -> None:
        """Forget every fault."""
        self._armed.clear()

    def armed(self) -> list[Fault]:
        """Return what is armed, with the counts that are left."""
        return [msgspec.structs.replace(armed.fault, count=armed.left) for armed in self._armed]

    def meet(self, on: str) -> Fault | None:
        """Return what happens this time to a request of a path, or to something beside requests, or None."""
        names = {on, ANY} if on.startswith(_PATHS) else {on}
        for armed in self._armed:
            if armed.fault.on in names and self._random.random() < armed.fault.probability:
                self._count_down(armed)
                self.met[f"{armed.fault.on} {armed.fault.kind}"] += 1
                return armed.fault
        return None

    def _count_down(self, armed: "_Armed") -> None:
        if armed.left is not None:
            armed.left -= 1
            if armed.left == 0:
                self._armed.remove(armed)


class _Armed:
    """A fault, and how often it is still to be met; None for ever."""

    def __init__(self, fault: Fault, left: int | None) -> None:
        self.fault = fault
        self.left = left
