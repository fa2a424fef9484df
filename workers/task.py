"""The registry of tasks: the functions that run the jobs, one per request type."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from shared.ledger.job import Job
from workers.context import Context

J = TypeVar("J", bound=Job)
Do = Callable[[J, Context], object]


@dataclass(frozen=True, slots=True)
class Task:
    """A request type and the function that runs it."""

    request: type[Job]
    do: Callable[[Any, Context], object]


TASKS: dict[str, Task] = {}


def task(request: type[J]) -> Callable[[Do[J]], Do[J]]:
    """Register the decorated function as the task of `request`, under its job name, such as orders.place_order.

    Raise ValueError for a second task of one name.
    """

    def register(do: Do[J]) -> Do[J]:
        name = request.job_name()
        if name in TASKS:
            raise ValueError(f"two tasks are named {name}: {TASKS[name].do.__qualname__} and {do.__qualname__}")
        TASKS[name] = Task(request, do)
        return do

    return register
