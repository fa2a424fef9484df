"""The free space of the disks that the stack writes to: what is too little, and what follows from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

WARN_BELOW = 1_000_000_000  # bytes
BLOCK_BELOW = 200_000_000  # Postgres and the spool need the rest for exits and the watch
FRESH_FOR = timedelta(minutes=5)  # machine time; the last report of a computer that has gone counts no longer
_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class DiskSpace:
    """The free bytes of the disk with this path on this computer."""

    host: str
    path: str
    free_bytes: int

    @property
    def blocks_entries(self) -> bool:
        """Whether so little is left that nothing is entered."""
        return self.free_bytes < BLOCK_BELOW

    def describe(self) -> str:
        """Return what is free, and where, and what to do if it is too little."""
        found = f"only {self.free_bytes // _MB} MB are free at {self.path} on {self.host}"
        if self.blocks_entries:
            return f"{found}: nothing is entered below {BLOCK_BELOW // _MB} MB, and exits pass; free some"
        return f"{found}: free some, as nothing is entered below {BLOCK_BELOW // _MB} MB"


def find_fullest(disks: Sequence[DiskSpace]) -> DiskSpace | None:
    """Return the disk with the least space among those that have too little; None if every disk has enough."""
    low = [disk for disk in disks if disk.free_bytes < WARN_BELOW]
    return min(low, key=lambda disk: disk.free_bytes, default=None)
