"""The process from which our programs are forked, and the limits of waiting for one that hangs."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import forkserver
from typing import Final

# The time limit of a fork. The first one waits until everything is imported.
_LOADED_WITHIN_S: Final = 60.0
_FORKED_WITHIN_S: Final = 5.0

context: Final = multiprocessing.get_context("forkserver")
_has_forked: set[int] = set()  # process ids


def begin_to_load() -> None:
    """Start it, and return at once; the first fork waits for its imports.

    Call it from the main thread: Linux ends it with the thread that started it.
    """
    context.set_forkserver_preload(["cli.local.processes.preload"])
    forkserver.ensure_running()


@contextmanager
def limited_fork() -> Iterator[None]:
    """End the process if the fork in this block takes too long; raise TimeoutError then."""
    forkserver.ensure_running()  # here, as a thread may not start it
    pid = _find_pid()
    limit_s = _FORKED_WITHIN_S if pid in _has_forked else _LOADED_WITHIN_S
    is_late = threading.Event()

    def give_up() -> None:
        is_late.set()
        end()

    timer = threading.Timer(limit_s, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, EOFError):
        if is_late.is_set():
            raise TimeoutError(f"the process to fork from hangs: no answer within {limit_s:.0f} s") from None
        raise
    finally:
        timer.cancel()
    if pid is not None:
        _has_forked.add(pid)


def end() -> None:
    """Kill it, as it hangs; its programs go on, and the next fork starts another."""
    pid = _find_pid()
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _find_pid() -> int | None:
    pid: int | None = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]  # noqa: SLF001  # it says it nowhere else
    return pid
