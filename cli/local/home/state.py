"""The published state of a running stack: a private file beside its lock."""

import json
from collections.abc import Callable
from typing import Any

from cli.local.home.folder import Home
from shared.private_file import write_private

Json = dict[str, Any]
_FILE = "state.json"


def write_state(home: Home, state: Json) -> None:
    """Replace the state."""
    write_private(home.root / _FILE, json.dumps(state, indent=2))


class StateWriter:
    """Replaces the state after a change; a write that fails, as on a full disk, is said once and tried again."""

    def __init__(self, home: Home, say: Callable[[str], None]) -> None:
        self._home = home
        self._say = say
        self._has_changed = True
        self._has_failed = False

    def mark_changed(self) -> None:
        """Let the next `write` replace the file."""
        self._has_changed = True

    def write(self, compose: Callable[[], Json]) -> None:
        """Write what `compose` returns, if there is a change that the file lacks."""
        if not self._has_changed:
            return
        self._has_changed = False  # before it is composed: a change meanwhile, by the prober, is written next
        try:
            write_state(self._home, compose())
        except OSError as error:
            self._has_changed = True
            if not self._has_failed:
                self._say(f"{self._home.root / _FILE} cannot be written ({error}); `tickwork status` shows old states")
            self._has_failed = True
        else:
            self._has_failed = False


def read_state(home: Home) -> Json | None:
    """Return the last written state, or None; only the lock shows whether the stack still runs."""
    try:
        found: Json = json.loads((home.root / _FILE).read_text())
    except (OSError, ValueError):
        return None
    return found
