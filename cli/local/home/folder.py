"""The folder with all state of a stack, and its layout."""

from dataclasses import dataclass
from pathlib import Path

from shared.errors import SettingsError

_READABLE, _PRIVATE = 0o755, 0o700


@dataclass(frozen=True, slots=True)
class Home:
    """TICKWORK_HOME. Every user may enter it, because the servers' user must; secrets are in private files."""

    root: Path

    @property
    def logs(self) -> Path:
        """The folder of the log files, one per program."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """The folder of heartbeats and tracebacks of running programs."""
        return self.root / "run"

    def prepare(self) -> None:
        """Create the folders and set their modes; raise SettingsError if that fails."""
        for folder, mode in ((self.root, _READABLE), (self.logs, _PRIVATE), (self.run, _PRIVATE)):
            try:
                folder.mkdir(mode=mode, parents=True, exist_ok=True)
                folder.chmod(mode)
            except OSError as error:
                raise SettingsError(
                    f"cannot create {folder} ({error.strerror}): set TICKWORK_HOME to a folder of your own"
                ) from None
