"""Misfortunes that tests arm: an answer lost, a request lost, an error status, a delay, a refusal."""

from typing import Annotated, Literal

import msgspec


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happens to the next `count` requests of one path.

    `lose_before` cuts the connection and does nothing, `lose_answer_after` does what was asked and cuts; `delay` does
    it and answers `seconds` (machine time) late, `delay_before` does it so late, also for a client that has gone;
    `status` answers only that status, `reject` only success=false with `error_code` and `message`, and does nothing.
    """

    path: str
    kind: Literal["lose_before", "lose_answer_after", "delay", "delay_before", "status", "reject"]
    count: Annotated[int, msgspec.Meta(ge=1)] = 1
    seconds: Annotated[float, msgspec.Meta(ge=0, le=600)] = 1
    status: Annotated[int, msgspec.Meta(ge=400, le=599)] = 500
    error_code: Annotated[int, msgspec.Meta(ge=1)] = 2
    message: str | None = None


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
        """Take the next fault of a path or of something that happens at a hub, such as `hub_drop`, or None."""
        waiting = self._armed.get(path)
        return waiting.pop(0) if waiting else None
