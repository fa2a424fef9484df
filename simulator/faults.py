"""Misfortunes that tests arm: an answer lost, a request lost, an error status, a delay."""

from typing import Annotated, Literal

import msgspec


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happens to the next `count` requests of one path.

    `lose_before` cuts the connection and does nothing, `lose_answer_after` does it and cuts, `status` answers only
    that, `delay` does it late. `delay_ms` (machine time) comes first with every kind.
    """

    path: str
    kind: Literal["lose_before", "lose_answer_after", "status", "delay"]
    count: Annotated[int, msgspec.Meta(ge=1)] = 1
    status: Annotated[int, msgspec.Meta(ge=200, le=599)] = 500
    delay_ms: Annotated[int, msgspec.Meta(ge=0, le=600_000)] = 0


class Faults:
    """The armed faults, first armed first met."""

    def __init__(self) -> None:
        self._armed: dict[str, list[Fault]] = {}

    def arm(self, fault: Fault) -> None:
        """Arm a fault behind those already there."""
        self._armed.setdefault(fault.path, []).extend([fault] * fault.count)

    def disarm(self) -> None:
        """Forget every fault."""
        self._armed.clear()

    def meet(self, path: str) -> Fault | None:
        """Take the next fault of a path, or None."""
        waiting = self._armed.get(path)
        return waiting.pop(0) if waiting else None
