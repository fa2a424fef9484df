"""The unprivileged user of the servers when we are root: Postgres does not run as root."""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import SettingsError


@dataclass(frozen=True, slots=True)
class UnixUser:
    """A user of this computer."""

    name: str
    uid: int
    gid: int

    def own(self, path: Path) -> None:
        """Make the user the owner of a file or folder of ours; a link is not followed."""
        os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def as_user(self) -> dict[str, Any]:
        """Return the arguments of subprocess that run a program as this user, without root's groups."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def find_unprivileged_user() -> UnixUser | None:
    """Return the user of the servers: None, our own, unless we are root; then `postgres` or `nobody`.

    Raise SettingsError when there is no usable user.
    """
    if os.geteuid() != 0:
        try:
            pwd.getpwuid(os.geteuid())
        except KeyError:
            raise SettingsError(
                f"user id {os.geteuid()} has no name on this computer, and Postgres needs one: "
                "run as a user with an entry in /etc/passwd, or set DATABASE_URL and REDIS_URL"
            ) from None
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return UnixUser(name, entry.pw_uid, entry.pw_gid)
    raise SettingsError(
        "Postgres does not run as root, and this computer has no user postgres or nobody: "
        "run as a normal user, or set DATABASE_URL and REDIS_URL"
    )
