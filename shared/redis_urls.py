"""The databases of Redis servers, as URLs name them: the broker and the cache never share one."""

from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

_PORT = 6379
_SCHEMES = ("redis", "rediss", "unix")


def cache_beside(redis_url: str, broker_url: str) -> str:
    """Return the URL of the cache on the server of `redis_url`: its database, or the next one if that is the broker's.

    Without a `broker_url` Redis is the broker too.
    """
    if is_same_database(redis_url, broker_url or redis_url):
        return with_number(redis_url, database_number(redis_url) + 1)
    return redis_url


def is_same_database(one: str, other: str) -> bool:
    """Whether two URLs name the same database of the same server, as far as it shows without a connection."""
    return _server(one) == _server(other) and database_number(one) == database_number(other)


def database_number(url: str) -> int:
    """Return the number of the database, as redis-py reads it: from the query, else from the path, else 0."""
    parts = urlsplit(url)
    in_path = "" if parts.scheme == "unix" else unquote(parts.path).replace("/", "")
    number = dict(parse_qsl(parts.query)).get("db", in_path)
    return int(number) if number.isdecimal() else 0


def with_number(url: str, number: int) -> str:
    """Return the URL with another database."""
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query) if name != "db"]
    if parts.scheme == "unix":
        return f"unix://{parts.netloc}{parts.path}?{urlencode([*query, ('db', number)])}"
    return parts._replace(path=f"/{number}", query=urlencode(query)).geturl()


def _server(url: str) -> tuple[str, int] | None:
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES:
        return None
    return (parts.path, 0) if parts.scheme == "unix" else ((parts.hostname or "localhost").lower(), parts.port or _PORT)
