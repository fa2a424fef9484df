"""Job requests: frozen types that name the work, its queue and its arguments."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Annotated, Any, ClassVar

import msgspec

from shared.fleets import DEADLINES, Queue

Instant = Annotated[datetime, msgspec.Meta(tz=True)]  # an argument: an aware datetime

_TYPES: dict[str, type["Job"]] = {}


@dataclass(frozen=True, kw_only=True)
class Job:
    """The base of every job type; a subclass in shared/ledger/jobs adds arguments that JSON can represent.

    `queue` and `attempts` are the defaults of its rows; `deadline` is that of the queue unless the type sets one.
    `attempts` counts runs that end with their process or with an error that no retry explains. While what the job needs
    does not answer, it is tried again without counting, for `retry_for` from the first failure, or until its expiry:
    as long as its purpose lasts.
    Traits:
        is_entry: it may open a position, so it is never requeued past its expiry: a late entry is another trade.
        is_probe: it only checks, every few seconds or minutes; its rows are kept for minutes and not listed.
        is_repeated: another one does its work again, such as that of the schedule's next slot, which supersedes it
            while it is queued; given up, it is `expired`, as an entry is, where others are `dead`.
        is_transactional: all its effects are rows written through `Context.transaction`, so many jobs of a backlog on
            the low or background queue may run in one commit.
        is_internal: its arguments are rows or reports that only Tickwork itself may state, so no API token requests it.
    """

    queue: ClassVar[Queue]
    attempts: ClassVar[int] = 3
    retry_for: ClassVar[timedelta] = timedelta(hours=1)
    deadline: ClassVar[timedelta | None]
    is_entry: ClassVar[bool] = False
    is_probe: ClassVar[bool] = False
    is_repeated: ClassVar[bool] = False
    is_transactional: ClassVar[bool] = False
    is_internal: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        """Register the type under its name, such as orders.place_order."""
        super().__init_subclass__()
        if "deadline" not in cls.__dict__:
            cls.deadline = DEADLINES[cls.queue]
        _TYPES[cls.job_name()] = cls

    @classmethod
    def job_name(cls) -> str:
        """Return the Celery task's name: the subject and the type in snake case."""
        return _name_of(cls.__module__, cls.__name__)

    def arguments(self) -> dict[str, Any]:
        """Return the arguments as JSON-ready builtins."""
        encoded: dict[str, Any] = msgspec.to_builtins(self)
        return encoded


@cache  # an alert asks for it three times
def _name_of(module: str, type_name: str) -> str:
    return f"{module.rsplit('.', 1)[-1]}.{re.sub(r'(?<!^)(?=[A-Z])', '_', type_name).lower()}"


def job_type(name: str) -> type[Job]:
    """Return the job type called `name`; raise LookupError if no imported module defines it."""
    try:
        return _TYPES[name]
    except KeyError:
        raise LookupError(f"unknown job {name!r}: expected one of {', '.join(sorted(_TYPES))}") from None


def job_types() -> list[type[Job]]:
    """Return every request type that an imported module defines, sorted by name."""
    return [_TYPES[name] for name in sorted(_TYPES)]


def job_from_row(name: str, arguments: dict[str, Any]) -> Job:
    """Rebuild a request from its row; raise LookupError for its name or msgspec.ValidationError for its arguments."""
    return msgspec.convert(arguments, job_type(name), strict=False)
