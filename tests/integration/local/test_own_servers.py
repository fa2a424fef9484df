"""Own servers named by environment variables: unusable ones are refused with the variable's name."""

import re
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from redis import Redis

from cli.local.home.folder import Home
from cli.local.servers.binaries import find_postgres_folder, find_valkey_server
from cli.local.servers.broker import check_broker
from cli.local.servers.postgres import postgres_program
from cli.local.servers.unix_user import UnixUser, find_unprivileged_user
from cli.local.servers.valkey import check_cache, check_redis
from shared.db.migrate import upgrade
from shared.errors import SettingsError
from shared.redis_urls import cache_beside, with_number
from tests.fixtures.processes import free_port

PASSWORD = "a-password-for-tests"


@pytest.fixture
def home(open_folder: Path) -> Home:
    home = Home(open_folder / f"home-{uuid4().hex[:8]}")
    home.prepare()
    return home


@pytest.mark.parametrize(
    ("variable", "find"),
    [("PG_BINDIR", find_postgres_folder), ("VALKEY_SERVER", find_valkey_server)],
    ids=["postgres", "valkey"],
)
@pytest.mark.parametrize("place", ["/nowhere/at/all", "/etc/passwd", "/"])
def test_a_missing_server_program_is_refused_with_the_variables_name(
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    find: Callable[[Home, UnixUser | None], Path],
    place: str,
) -> None:
    monkeypatch.setenv(variable, place)

    with pytest.raises(SettingsError, match=f"{variable} is {place}") as refused:
        find(home, find_unprivileged_user())
    assert "set DATABASE_URL and REDIS_URL" in str(refused.value)


def test_another_program_named_postgres_is_refused(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = home.root / "binaries"
    folder.mkdir()
    (folder / "postgres").write_text("#!/bin/sh\necho mysql 9\n")
    (folder / "postgres").chmod(0o755)
    monkeypatch.setenv("PG_BINDIR", str(folder))

    with pytest.raises(SettingsError, match="is not PostgreSQL: its version is 'mysql 9'"):
        postgres_program(home, find_unprivileged_user(), free_port(), PASSWORD)


def test_a_too_old_database_is_refused_before_any_change(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("SET allow_system_table_mods = on")
        connection.execute(
            "CREATE OR REPLACE FUNCTION pg_catalog.version() RETURNS text LANGUAGE sql STABLE "
            "AS $$ SELECT 'PostgreSQL 14.19 on an old computer' $$"
        )

        with pytest.raises(SettingsError, match="too old: Tickwork needs 15 or newer"):
            upgrade(empty_database_url)
        assert [] == connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()


def test_a_redis_that_does_not_answer_is_named_without_its_password() -> None:
    with pytest.raises(SettingsError, match=r"REDIS_URL redis://:\*\*\*@127\.0\.0\.1") as refused:
        check_redis(f"redis://:{PASSWORD}@127.0.0.1:{free_port()}/0")
    assert PASSWORD not in str(refused.value)


def test_a_redis_that_refuses_writes_is_named_with_what_to_do(redis_url: str) -> None:
    with Redis.from_url(redis_url) as client:
        before = client.config_get("maxmemory")["maxmemory"]
        client.config_set("maxmemory", 1)
        try:
            with pytest.raises(SettingsError, match=r"refuses writes: .*raise its `maxmemory`"):
                check_redis(redis_url)
        finally:
            client.config_set("maxmemory", before)
    check_redis(redis_url)


def test_the_database_of_the_broker_is_no_cache_whatever_its_url_is(redis_url: str) -> None:
    by_another_name = redis_url.replace("127.0.0.1", "localhost")
    assert redis_url != by_another_name

    with pytest.raises(SettingsError, match=r"TICKWORK_CACHE_URL .* is the database of the broker: set it to one"):
        check_cache(by_another_name, redis_url)
    check_cache(cache_beside(redis_url, ""), redis_url)
    check_cache(redis_url, "amqp://me:secret@127.0.0.1/v")


def test_a_server_without_a_database_for_the_cache_is_refused_with_the_settings_name(redis_url: str) -> None:
    with pytest.raises(
        SettingsError, match=r"TICKWORK_CACHE_URL redis://\S* has no database 16: .*set TICKWORK_CACHE_URL to another"
    ):
        check_cache(with_number(redis_url, 16), redis_url)


@pytest.mark.parametrize("scheme", ["amqp", "redis"])
def test_a_broker_that_does_not_answer_is_named_without_its_password(scheme: str) -> None:
    with pytest.raises(SettingsError, match=rf"BROKER_URL {scheme}://me:\*\*\*@127\.0\.0\.1") as refused:
        check_broker(f"{scheme}://me:{PASSWORD}@127.0.0.1:{free_port()}/0")
    assert PASSWORD not in str(refused.value)


def test_a_too_old_redis_is_refused() -> None:
    info = b"# Server\r\nredis_version:6.2.14\r\n"
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                while received := connection.recv(65536):
                    for command in re.split(rb"(?=\*\d+\r\n)", received)[1:]:
                        is_info = b"INFO\r\n" in command and b"SETINFO" not in command
                        connection.sendall(b"$%d\r\n%s\r\n" % (len(info), info) if is_info else b"+OK\r\n")

        old_redis = threading.Thread(target=answer)
        old_redis.start()
        with pytest.raises(SettingsError, match=r"Redis 6\.2\.14 at .* is too old: Tickwork needs 7 or newer"):
            check_redis(f"redis://127.0.0.1:{listener.getsockname()[1]}/0?protocol=2")
        old_redis.join()
