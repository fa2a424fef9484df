"""The URLs of servers among the settings, parsed and checked; an error quotes none with its password."""

from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from shared.errors import SettingsError
from shared.redis_urls import cache_beside, is_same_database

_BROKERS = ("amqp", "amqps", "redis", "rediss")
_REDIS = ("redis", "rediss", "unix")


def parse_database_url(values: Mapping[str, str]) -> str:
    """Return the URL as libpq and psql know it; a driver, as SQLAlchemy writes it, they refuse."""
    value = _parse_url(values, "DATABASE_URL", ("postgresql", "postgres", "postgresql+psycopg"))
    return value and f"postgresql://{value.partition('://')[2]}"


def parse_redis_url(values: Mapping[str, str]) -> str:
    """Return the URL of the Redis that is the broker unless BROKER_URL is set."""
    return _parse_url(values, "REDIS_URL", _REDIS)


def parse_broker_url(values: Mapping[str, str]) -> str:
    """Return the URL of the broker; empty: Redis is the broker too."""
    value = values.get("BROKER_URL", "")
    if value and split_url("BROKER_URL", value).scheme not in _BROKERS:
        raise SettingsError(
            f"invalid BROKER_URL {mask_password(value)!r}: expected a RabbitMQ URL such as "
            "amqp://user:password@127.0.0.1:5672/vhost, a Redis or Valkey URL such as "
            "redis://:password@127.0.0.1:6379/0, or nothing, and REDIS_URL is the broker too"
        )
    return _parse_url(values, "BROKER_URL", _BROKERS)


def parse_cache_url(values: Mapping[str, str]) -> str:
    """Return the URL of the cache: TICKWORK_CACHE_URL, else a database of REDIS_URL's server; never the broker's."""
    url = _parse_url(values, "TICKWORK_CACHE_URL", _REDIS)
    redis_url, broker_url = values.get("REDIS_URL", ""), values.get("BROKER_URL", "")
    if url and is_same_database(url, broker_url or redis_url):
        raise SettingsError(
            f"invalid TICKWORK_CACHE_URL {mask_password(url)!r}: expected a database that the broker does not use, "
            "such as the next one"
        )
    return url or (redis_url and cache_beside(redis_url, broker_url))


def _parse_url(values: Mapping[str, str], name: str, schemes: tuple[str, ...]) -> str:
    value = values.get(name, "")
    if not value:
        return ""
    parts = split_url(name, value)
    require_port(name, parts)
    if parts.scheme not in schemes or "://" not in value:
        expected = " or ".join(f"{scheme}://" for scheme in schemes)
        raise SettingsError(f"invalid {name}: expected a URL that starts with {expected}")
    return value


def split_url(name: str, value: str) -> SplitResult:
    """Return the parts of a URL; an error does not quote it, as urlsplit's own would, password and all."""
    try:
        return urlsplit(value)
    except ValueError:
        raise SettingsError(
            f"invalid {name}: expected a URL in which [ and ] stand only around an IPv6 address; write them as %5B "
            "and %5D in a password"
        ) from None


def require_port(name: str, parts: SplitResult) -> None:
    """Raise SettingsError if the URL has a port that is none."""
    try:
        is_port_valid = parts.port != 0
    except ValueError:
        is_port_valid = False
    if not is_port_valid:
        raise SettingsError(f"invalid port in {name}: expected a number from 1 to 65535")


def mask_password(url: str) -> str:
    """Return the URL without its user, password and query, as an error quotes it."""
    scheme, separator, rest = url.partition("://") if "://" in url else ("", "", url)
    credentials, at, host = rest.rpartition("@")
    return scheme + separator + (f"***{at}" if credentials else "") + host.partition("?")[0]
