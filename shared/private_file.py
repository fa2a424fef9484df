"""Files that only their owner can read, for secrets."""

import os
from pathlib import Path

_SECRET = 0o600


def write_private(file: Path, text: str) -> None:
    """Replace `file` atomically with a file that only its owner can read."""
    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _SECRET)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text)
    new.replace(file)
