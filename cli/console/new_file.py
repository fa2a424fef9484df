"""A new file that a command writes, whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from shared.errors import RefusedError


@contextmanager
def open_new_file(file: Path) -> Iterator[BinaryIO]:
    """Open a file that is not there yet; it is removed if the body ends with an error, or is interrupted.

    Raise RefusedError if it is there already or cannot be written.
    """
    try:
        target = file.open("xb")
        try:
            with target:  # its end writes what is still buffered, which may fail too
                yield target
        except BaseException:
            file.unlink(missing_ok=True)
            raise
    except FileExistsError:
        raise RefusedError(f"{file} is there already: choose a new file") from None
    except OSError as error:
        raise RefusedError(f"cannot write {file}: {(error.strerror or str(error)).lower()}") from None
