"""The output of programs: each line is masked, printed with a prefix, and stored in a log file per program."""

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

from shared.log import mask_secrets

_MOST_BYTES = 10_000_000
_WIDTH = 15


def stream_output(name: str, pipe: IO[bytes], folder: Path, show: Callable[[str], None]) -> threading.Thread:
    """Read a program's output on a thread until it ends."""
    thread = threading.Thread(target=_read, args=(name, pipe, folder, show), name=f"output of {name}", daemon=True)
    thread.start()
    return thread


def show_on_terminal(line: str) -> None:
    """Write one line to stderr; a closed terminal is not an error."""
    try:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        return


def _read(name: str, pipe: IO[bytes], folder: Path, show: Callable[[str], None]) -> None:
    file = folder / f"{name}.log"
    if file.exists() and file.stat().st_size > _MOST_BYTES:
        file.replace(file.with_suffix(".log.1"))
    with pipe, file.open("a", encoding="utf-8", buffering=1) as log:
        for raw in pipe:
            line = mask_secrets(raw.decode(errors="replace").rstrip())
            if line:
                log.write(f"{line}\n")
                show(f"{name:<{_WIDTH}} | {line}")
