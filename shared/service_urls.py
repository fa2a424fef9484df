"""The URLs of services outside among the settings, parsed and checked; no error shows a secret of theirs."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from shared.errors import SettingsError
from shared.server_urls import mask_password

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
PORTS = {"https": 443, "http": 80}
_PRINTABLE = re.compile(r"[!-~]+")


def parse_heartbeat_url(values: Mapping[str, str]) -> str:
    """Return the URL, which is a secret: who knows it can feign that all is well. No message shows it."""
    value = values.get("TICKWORK_HEARTBEAT_URL", "").strip()
    if not value:
        return ""
    try:
        parts = urlsplit(value)
        is_valid = parts.scheme in PORTS and is_host(parts.hostname) and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid or not _PRINTABLE.fullmatch(value):
        raise SettingsError(
            "invalid TICKWORK_HEARTBEAT_URL: expected the whole URL that your monitoring service gave you, such as "
            "https://hc-ping.com/ID"
        )
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise SettingsError("invalid TICKWORK_HEARTBEAT_URL: expected https, as the URL is a secret")
    return value


def parse_traces_url(values: Mapping[str, str]) -> str:
    """Return the URL of a collector of traces, empty without one; raise SettingsError for an invalid one."""
    value = values.get("TICKWORK_TRACES_URL", "").strip()
    invalid = f"invalid TICKWORK_TRACES_URL {mask_password(value)!r}: expected"
    if not value:
        return ""
    try:
        parts = urlsplit(value)
        is_valid = parts.scheme in PORTS and is_host(parts.hostname) and parts.port != 0 and parts.path.strip("/")
    except ValueError:
        is_valid = False
    if not is_valid or "@" in parts.netloc or parts.query or parts.fragment or not _PRINTABLE.fullmatch(value):
        raise SettingsError(
            f"{invalid} the URL where your collector takes traces by OTLP over HTTP, without a password or query, such "
            "as http://127.0.0.1:4318/v1/traces"
        )
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise SettingsError(f"{invalid} https, as spans have what you trade, or a collector on this computer")
    return value


def parse_telegram_url(values: Mapping[str, str]) -> str:
    """Return the URL of Telegram's Bot API, by default the real one; raise SettingsError for an invalid one."""
    value = values.get("TICKWORK_TELEGRAM_URL", "").strip() or "https://api.telegram.org"
    shown = mask_password(value)
    if not is_plain_url(value):
        raise SettingsError(f"invalid TICKWORK_TELEGRAM_URL {shown!r}: expected https://api.telegram.org")
    if value.startswith("http:") and urlsplit(value).hostname not in LOOPBACK:
        raise SettingsError(
            f"invalid TICKWORK_TELEGRAM_URL {shown!r}: expected https, as the bot's token is part of every request"
        )
    return value.rstrip("/")


def is_plain_url(value: str) -> bool:
    """Whether this is http or https with a host and a valid port, and without a user, a query or a fragment."""
    try:
        parts = urlsplit(value)
        is_port_valid = parts.port != 0
    except ValueError:
        return False
    has_more = "@" in parts.netloc or "?" in value or "#" in value or not _PRINTABLE.fullmatch(value)
    return is_port_valid and parts.scheme in PORTS and is_host(parts.hostname) and not has_more


def is_host(host: str | None) -> bool:
    """Whether a connection can be made to this name: no part of it is empty, or longer than 63 characters."""
    try:
        return bool((host or "").encode("idna"))
    except UnicodeError:
        return False
