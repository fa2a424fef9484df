"""The id of this installation: chosen once for a home on one computer, and the same for every database of it."""

import hashlib
import json
import re
import secrets
from pathlib import Path

from cli.local.home.folder import Home
from shared.errors import SettingsError
from shared.private_file import write_private

_MACHINE_ID = Path("/etc/machine-id")
_ID = re.compile(r"[0-9a-f]{8}")


def load_installation(home: Home, computer: str | None = None) -> str:
    """Return the id of this home; choose one if there is none, or if the home was copied from another computer.

    `computer` names this one (default: by the system, which not every system can). Raise SettingsError for a damaged
    file.
    """
    file, here = home.root / "installation.json", read_computer() if computer is None else computer
    try:
        stored = json.loads(file.read_text())
        known, there = str(stored["id"]), stored["computer"]
    except FileNotFoundError:
        return _choose_id(file, here)
    except (ValueError, TypeError, LookupError):
        known, there = "", here
    if not _ID.fullmatch(known):
        raise SettingsError(
            f"{file} is damaged: restore it from a backup, or remove it; then orders of the last 24 h are taken for "
            "those of another installation, until `tickwork accounts take-over ACCOUNT`"
        )
    return known if there == here or not here else _choose_id(file, here)


def choose_id() -> str:
    """Return an id that no other installation has."""
    return secrets.token_hex(4)


def rename_installation(home: Home, replaced: str, chosen: str) -> None:
    """Give a home that has the id `replaced` the id `chosen`; a home with another one, or with none, stays as it is."""
    file = home.root / "installation.json"
    try:
        stored = json.loads(file.read_text())
        is_it = stored["id"] == replaced
    except (FileNotFoundError, ValueError, TypeError, LookupError):
        return
    if is_it:
        write_private(file, json.dumps(stored | {"id": chosen}))


def _choose_id(file: Path, computer: str) -> str:
    chosen = choose_id()
    write_private(file, json.dumps({"id": chosen, "computer": computer}))
    return chosen


def read_computer() -> str:
    """Return a hash that differs between computers, or "" on a system without an id of its own."""
    try:
        text = _MACHINE_ID.read_text().strip()
    except OSError:
        return ""
    return hashlib.sha256(f"tickwork {text}".encode()).hexdigest()[:16] if text else ""
