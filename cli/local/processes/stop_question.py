"""The question whether to stop while a position is open: asked at a terminal, and never a reason to wait elsewhere."""

import os
import select
import sys
import time
from collections.abc import Callable

from cli.local.home.state import Json
from cli.local.processes.left_open import describe_unwatched

_ANSWER_WITHIN_S = 30.0
_LONGEST_ANSWER = 1024


class StopQuestion:
    """What Ctrl-C asks before `up` stops; a second Ctrl-C is a yes."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._asked_at: float | None = None

    def interrupt(self, read_open: Callable[[], list[Json] | None]) -> bool:
        """Return whether to stop now; else the question has been asked, and `is_answered` returns the answer."""
        if self._asked_at is not None:
            return True
        warning = describe_unwatched(read_open())
        if warning is None:
            return True
        self._show(warning)
        if not _may_ask():
            return True
        self._asked_at = time.monotonic()
        self._show(
            f"Stop? Type y and Enter, or Ctrl-C again; without a yes within {_ANSWER_WITHIN_S:.0f} s it runs on."
        )
        return False

    def is_answered(self) -> bool:
        """Whether the answer is yes; any other, or none in time, withdraws the question."""
        if self._asked_at is None:
            return False
        if _has_input():
            answer = os.read(sys.stdin.fileno(), _LONGEST_ANSWER).decode(errors="replace").strip().lower()
            if answer in {"y", "yes"}:
                return True
        elif time.monotonic() - self._asked_at < _ANSWER_WITHIN_S:
            return False
        self._asked_at = None
        self._show("The stack runs on.")
        return False


def _may_ask() -> bool:
    """Whether a person sees the question and may answer: this process is in the foreground of a terminal."""
    try:
        return sys.stdin.isatty() and sys.stderr.isatty() and os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (AttributeError, OSError, ValueError):  # stdin is closed
        return False


def _has_input() -> bool:
    return bool(select.select([sys.stdin], [], [], 0)[0])
