"""The embedded Valkey, broker and cache: it persists writes, has a bound of memory and never evicts."""

import signal
from contextlib import suppress
from uuid import uuid4

import redis

from cli.local.home.folder import Home
from cli.local.processes.program import Program
from cli.local.servers.binaries import find_valkey_server
from cli.local.servers.stale_server import wait_for_old_server
from cli.local.servers.unix_user import UnixUser
from shared.config import environment
from shared.errors import SettingsError
from shared.ledger.publisher import is_amqp
from shared.log import mask_secrets
from shared.private_file import write_private
from shared.redis_urls import database_number

OLDEST_REDIS = 7
# What the broker and the cache hold is a few MB: a server that needs this much has a fault, and says so by refusing.
_MOST_MEMORY = "512mb"
_WRITE_CHECK = "tickwork:write-check"


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
        f"maxmemory {_MOST_MEMORY}",
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


def check_redis(url: str, variable: str = "REDIS_URL") -> str:
    """Raise SettingsError, naming the variable, unless a Redis 7 or newer, or a Valkey, answers and takes a write.

    Return what it has written, which stays for a few seconds.
    """
    written = uuid4().hex
    try:
        with redis.Redis.from_url(url, socket_timeout=3, socket_connect_timeout=3) as client:
            found = str(client.info("server")["redis_version"])
            client.set(_WRITE_CHECK, written, ex=5)
    except (redis.ResponseError, redis.exceptions.OutOfMemoryError) as error:
        if "DB index" in str(error) or "SELECT is not allowed" in str(error):
            raise SettingsError(
                f"{variable} {mask_secrets(url)} has no database {database_number(url)}: {error}. Allow more there "
                f"(`databases`), or set {variable} to another server"
            ) from None
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
    return written


def check_cache(url: str, broker_url: str) -> None:
    """As check_redis, for the cache; raise SettingsError also if it is the database of the broker, by another name."""
    variable = "TICKWORK_CACHE_URL"
    written = check_redis(url, variable)
    if is_amqp(broker_url):
        return
    with (
        suppress(redis.RedisError),  # the broker has a check of its own
        redis.Redis.from_url(broker_url, socket_timeout=3, socket_connect_timeout=3, decode_responses=True) as client,
    ):
        if client.get(_WRITE_CHECK) == written:
            raise SettingsError(
                f"{variable} {mask_secrets(url)} is the database of the broker: set it to one that the broker does not "
                "use, because the cache may be emptied and the broker must not"
            )
