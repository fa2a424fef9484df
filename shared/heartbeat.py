"""The heartbeat of a program: a file that it touches while it works; `python -m shared.heartbeat` checks it."""

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shared.clock import machine_now
from shared.config import environment

FRESH_FOR = timedelta(seconds=15)


def touch() -> None:
    """Touch the file that TICKWORK_HEARTBEAT_FILE names, if it is set."""
    name = environment().get("TICKWORK_HEARTBEAT_FILE")
    if name:
        Path(name).touch()


def touch_waiting() -> None:
    """Touch the file as one that is not fresh: this program lives, and cannot work until what it needs is back."""
    name = environment().get("TICKWORK_HEARTBEAT_FILE")
    if name:
        at = (machine_now() - FRESH_FOR).timestamp()
        try:
            os.utime(name, (at, at))
        except FileNotFoundError:
            Path(name).touch()


def is_fresh(file: Path) -> bool:
    """Whether `file` exists and was touched within FRESH_FOR."""
    try:
        touched_at = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    except FileNotFoundError:
        return False
    return machine_now() - touched_at < FRESH_FOR


if __name__ == "__main__":
    sys.exit(not is_fresh(Path(environment().get("TICKWORK_HEARTBEAT_FILE", ""))))
