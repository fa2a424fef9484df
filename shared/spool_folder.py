"""The folder in which the receiver keeps alerts while Postgres is away, and the two kinds of its files."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from shared.ids import created_at

WAITING = ".spool"
REJECTED = ".rejected"  # a line of the file is no alert, or Postgres refuses one


@dataclass(frozen=True, slots=True)
class SpoolFiles:
    """Some files of the spool: how many, and when the oldest was begun; None without a file."""

    count: int
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True)
class SpoolContents:
    """The files that wait to be stored or removed, and those left to a person, of which not all could be stored."""

    waiting: SpoolFiles
    rejected: SpoolFiles


def spool_folder(home: Path) -> Path:
    """Return the folder of the spool in TICKWORK_HOME."""
    return home / "spool"


def read_spool_contents(home: Path) -> SpoolContents:
    """Return what is in the spool; empty if there is no folder."""
    folder = spool_folder(home)
    return SpoolContents(_summarize(folder, WAITING), _summarize(folder, REJECTED))


def _summarize(folder: Path, suffix: str) -> SpoolFiles:
    begins = list(_list_begins(folder, suffix))
    return SpoolFiles(len(begins), min(begins, default=None))


def _list_begins(folder: Path, suffix: str) -> Iterator[datetime]:
    for path in folder.glob(f"*{suffix}"):
        try:
            begun_at = created_at(UUID(path.stem))
        except ValueError:
            begun_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        yield begun_at
