"""The embedded Valkey: a broker that persists writes and never evicts."""

import signal
from contextlib import suppress

import redis

from cli.local.home.folder import Home
from cli.local.processes.program import Program
from cli.local.servers.binaries import find_valkey_server
from cli.local.servers.stale_server import wait_for_old_server
from cli.local.servers.unix_user import UnixUser
from shared.config import environment
from shared.errors import SettingsError
from shared.log import mask_secrets
from shared.private_file import write_private

OLDEST_REDIS = 7


def valkey_url(port: int, password: str) -> str:
    """Return the URL of the embedded server."""
    return f"redis://:{password}@127.0.0.1:{port}/0"


def valkey_program(home: Home, unix_user: UnixUser | None, port: int, password: str) -> Program:
    """Return the server's program; write its configuration, and wait for an older server on its data to end."""
    # The servers' user owns only the contents of `data`: a link planted there must not lead to our files.
    folder = home.root / "valkey"
    folder.mkdir(mode=0o755, exist_ok=True)
    data = folder / "data"
    if not data.exists():
        data.mkdir(mode=0o700)
        if unix_user:
            unix_user.own(data)
    server = find_valkey_server(home, unix_user)
    # The password is in a private file, because every user can read a command line.
    lines = [
        "bind 127.0.0.1",
        f"port {port}",
        f'dir "{data.resolve()}"',
        f'pidfile "{data.resolve() / "valkey.pid"}"',
        f"requirepass {password}",
        "appendonly yes",
        "appendfsync everysec",
        'save ""',
        "maxmemory-policy noeviction",
        "loglevel warning",
        "disable-thp yes",
    ]
    settings = folder / "valkey.conf"
    write_private(settings, "\n".join(lines) + "\n")
    if unix_user:
        unix_user.own(settings)
    wait_for_old_server(data / "valkey.pid", data)
    url = valkey_url(port, password)
    return Program(
        name="valkey",
        command=[server, settings],
        environment={"PATH": environment().get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"},
        is_ready=lambda: is_answering(url),
        death_signal=signal.SIGTERM,
        unix_user=unix_user,
        stop_timeout_s=3.0,
    )


def is_answering(url: str) -> bool:
    """Whether a Redis or Valkey answers at `url`."""
    with suppress(redis.RedisError), redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1) as client:
        return bool(client.ping())
    return False


def check_redis(url: str, variable: str = "REDIS_URL") -> None:
    """Raise SettingsError, naming the variable, unless a Redis 7 or newer, or a Valkey, answers and takes a write."""
    try:
        with redis.Redis.from_url(url, socket_timeout=3, socket_connect_timeout=3) as client:
            found = str(client.info("server")["redis_version"])
            client.set("tickwork:write-check", "", ex=5)
    except (redis.ResponseError, redis.exceptions.OutOfMemoryError) as error:
        raise SettingsError(
            f"{variable} {mask_secrets(url)} answers, but refuses writes: {error}. Jobs wait in Postgres: "
            "free memory there, or raise its `maxmemory`"
        ) from None
    except redis.RedisError as error:
        raise SettingsError(f"{variable} {mask_secrets(url)} does not answer: {error}") from None
    if int(found.split(".", maxsplit=1)[0]) < OLDEST_REDIS:
        raise SettingsError(
            f"Redis {found} at {mask_secrets(url)} is too old: Tickwork needs {OLDEST_REDIS} or newer, or Valkey"
        )
