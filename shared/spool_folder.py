"""The folder in which the receiver keeps alerts while Postgres is away: which of its files wait, and which are kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from shared.ids import created_at

WAITING = ".spool"
UNREADABLE = ".unreadable"  # a line of the file is no alert
REJECTED = ".rejected"  # Postgres refuses an alert of the file


@dataclass(frozen=True, slots=True)
class SpoolFiles:
    """Some files of the spool: how many, and when the oldest was begun; None without a file."""

    count: int
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True)
class SpoolContents:
    """The files whose alerts wait for Postgres, and those that are kept for a person, as not all could be stored."""

    waiting: SpoolFiles
    kept: SpoolFiles


def spool_folder(home: Path) -> Path:
    """Return the folder of the spool in TICKWORK_HOME."""
    return home / "spool"


def read_spool_contents(home: Path) -> SpoolContents:
    """Return what is in the spool; empty if there is no folder."""
    folder = spool_folder(home)
    return SpoolContents(_summarize(folder, [WAITING]), _summarize(folder, [UNREADABLE, REJECTED]))


def _summarize(folder: Path, suffixes: Sequence[str]) -> SpoolFiles:
    ages = [begun_at for suffix in suffixes for begun_at in _list_begins(folder, suffix)]
    return SpoolFiles(len(ages), min(ages, default=None))


def _list_begins(folder: Path, suffix: str) -> Iterator[datetime]:
    for path in folder.glob(f"*{suffix}"):
        try:
            begun_at = created_at(UUID(path.stem))
        except ValueError:
            begun_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        yield begun_at
