"""The alerts that the receiver keeps on the disk of this computer, for people and scripts."""

from datetime import datetime
from pathlib import Path
from typing import Any

from cli.client.public_url import format_age
from shared.spool_folder import read_spool_contents, spool_folder


def read_spool_figures(home: Path) -> dict[str, Any]:
    """Return how many files of the spool in `home` wait and are rejected, and since when."""
    contents = read_spool_contents(home)
    return {
        "folder": str(spool_folder(home)),
        "waiting_files": contents.waiting.count,
        "waiting_since": contents.waiting.oldest_at,
        "rejected_files": contents.rejected.count,
        "rejected_since": contents.rejected.oldest_at,
    }


def describe_spool(figures: dict[str, Any]) -> str | None:
    """Return one line about the spool; None while it is empty."""
    found = []
    if figures["waiting_files"]:
        files = _describe_files(figures["waiting_files"], figures["waiting_since"])
        found.append(f"{files} with alerts to be stored, see the log of the receiver")
    if figures["rejected_files"]:
        files = _describe_files(figures["rejected_files"], figures["rejected_since"])
        found.append(f"{files} with ACCEPTED ALERTS THAT WERE NEVER STORED, see docs/howto/recover.md")
    return f"Spool {figures['folder']}: {'; '.join(found)}" if found else None


def _describe_files(count: int, oldest_at: datetime) -> str:
    return (
        f"1 file, {format_age(oldest_at)} old," if count == 1 else f"{count} files, up to {format_age(oldest_at)} old,"
    )
