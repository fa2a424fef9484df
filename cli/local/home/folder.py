"""The folder that holds all state of a stack, and what lies where in it."""

import os
from dataclasses import dataclass
from pathlib import Path

from shared.errors import SettingsError

_READABLE, _PRIVATE, _SECRET = 0o755, 0o700, 0o600


@dataclass(frozen=True, slots=True)
class Home:
    """TICKWORK_HOME. Anybody may walk through it, as the servers' user must; what is secret in it is private."""

    root: Path

    @property
    def logs(self) -> Path:
        """One file per program."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """Heartbeats and tracebacks of running programs."""
        return self.root / "run"

    def prepare(self) -> None:
        """Make the folders; raise SettingsError naming the one that cannot be made."""
        for folder, mode in ((self.root, _READABLE), (self.logs, _PRIVATE), (self.run, _PRIVATE)):
            try:
                folder.mkdir(mode=mode, parents=True, exist_ok=True)
                folder.chmod(mode)
            except OSError as error:
                raise SettingsError(
                    f"{folder} cannot be used ({error.strerror}): set TICKWORK_HOME to a folder of your own"
                ) from None


def write_private(file: Path, text: str) -> None:
    """Replace `file` at once by one that only we can read."""
    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _SECRET)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text)
    new.replace(file)
