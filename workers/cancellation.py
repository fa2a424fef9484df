"""The signal by which the parent tells its child that a person asked to cancel a job; the row says which job."""

import signal
from contextlib import suppress
from os import kill

SIGNAL = signal.SIGUSR2

_is_requested = False


def receive() -> None:
    """Notice the signal in this process."""
    signal.signal(SIGNAL, lambda *_: note())


def note() -> None:
    """Notice a request in this process."""
    global _is_requested  # noqa: PLW0603  # a signal handler has no other place
    _is_requested = True


def is_requested() -> bool:
    """Whether a request came since the last call; the job that it meant may have ended meanwhile."""
    global _is_requested  # as above
    was_requested, _is_requested = _is_requested, False
    return was_requested


def send(process_id: int) -> None:
    """Tell a child; one that has just ended needs no signal."""
    with suppress(ProcessLookupError):
        kill(process_id, SIGNAL)
