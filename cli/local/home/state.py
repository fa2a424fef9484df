"""The published state of a running stack: a private file beside its lock."""

import json
from typing import Any

from cli.local.home.folder import Home
from shared.private_file import write_private

Json = dict[str, Any]


def write_state(home: Home, state: Json) -> None:
    """Replace the state."""
    write_private(home.root / "state.json", json.dumps(state, indent=2))


def read_state(home: Home) -> Json | None:
    """Return the last written state, or None; only the lock shows whether the stack still runs."""
    try:
        found: Json = json.loads((home.root / "state.json").read_text())
    except (OSError, ValueError):
        return None
    return found
