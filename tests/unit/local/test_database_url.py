"""DATABASE_URL: every spelling of a URL of Postgres that we can use becomes the one that libpq and psql know."""

import pytest

from shared.config import load_settings
from shared.errors import SettingsError

PLAIN = "postgresql://me:hu%3Ash@127.0.0.1:5432/work?sslmode=require"


def read(url: str) -> str:
    return load_settings({"TICKWORK_HOME": "/nowhere", "DATABASE_URL": url}).require_database()


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_a_known_scheme_becomes_postgresql(scheme: str) -> None:
    assert PLAIN == read(PLAIN.replace("postgresql", scheme, 1))


@pytest.mark.parametrize("scheme", ["postgresql+asyncpg", "postgresql+psycopg2", "mysql", "postgres+psycopg"])
def test_another_scheme_or_driver_is_refused_without_the_password(scheme: str) -> None:
    with pytest.raises(SettingsError, match="invalid DATABASE_URL: expected a URL that starts with") as it:
        read(PLAIN.replace("postgresql", scheme, 1))

    assert "hu%3Ash" not in str(it.value)


@pytest.mark.parametrize("name", ["REDIS_URL", "BROKER_URL"])
def test_a_driver_in_the_scheme_of_redis_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=f"invalid {name}"):
        load_settings({"TICKWORK_HOME": "/nowhere", name: "redis+socket:///tmp/redis.sock"})


def test_a_url_without_slashes_is_refused() -> None:
    with pytest.raises(SettingsError, match="invalid DATABASE_URL"):
        read("postgresql:work")
