"""The settings of every program, read once from the environment and settings.toml, and frozen."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from shared.domain.notifications.channel import Channel, parse_channels
from shared.errors import SettingsError
from shared.server_urls import (
    mask_password,
    parse_broker_url,
    parse_cache_url,
    parse_database_url,
    parse_redis_url,
    require_port,
    split_url,
)
from shared.service_urls import (
    LOOPBACK,
    PORTS,
    is_host,
    is_plain_url,
    parse_heartbeat_url,
    parse_telegram_url,
    parse_traces_url,
)
from shared.setting_values import (
    parse_bot_token,
    parse_choice,
    parse_count,
    parse_list,
    parse_port,
    parse_slots,
    parse_switch,
)
from shared.settings_file import SettingsFile, read_settings_file, settings_file

_IPV4 = 4


def environment() -> dict[str, str]:
    """Return a copy of the environment; no other module reads it."""
    return dict(os.environ)


def replace_environment(values: Mapping[str, str]) -> None:
    """Let this process have these variables alone; libraries read some by themselves."""
    os.environ.clear()
    os.environ.update(values)


def default_home() -> Path:
    """Return the folder for state if TICKWORK_HOME is not set: /var/lib/tickwork for root, else one per user."""
    if os.geteuid() == 0:
        return Path("/var/lib/tickwork")
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "tickwork"


def home_folder(env: Mapping[str, str]) -> Path:
    """Return the folder for state; a command that only needs it works also with an invalid settings file."""
    return Path(env.get("TICKWORK_HOME") or default_home())


@dataclass(frozen=True, slots=True)
class VenueSettings:
    """The venue's addresses and our login. `is_simulator` decides what is enabled by default."""

    url: str
    hubs_url: str
    user: str
    key: str = field(repr=False)
    is_simulator: bool


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a program. A URL that the program does not need may be empty."""

    home: Path
    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    broker_url: str = field(repr=False)  # empty: Redis is the broker too
    cache_url: str = field(repr=False)  # a database that the broker does not use; empty only if no Redis is named
    venue: VenueSettings
    market: str  # one database per market: its name, such as sim_seed_7, mgcm2_1m_2022_04, api_topstepx_com
    contracts: tuple[str, ...]  # roots to track, such as MNQ; empty in a replay: the file's own
    limits: bool  # False lifts the venue's request limits, for benches against the simulator
    bars_limit: int  # requests for bars per 30 s that the venue allows: 50, or 30 by an older page of its docs
    max_quantity: int  # most contracts of one entry
    entry_ttl: timedelta  # an entry not sent within this time is never sent
    approval_ttl: timedelta  # an entry that waits for a person lapses after this time
    receiver_url: str  # the receiver's own address, which this computer reaches
    public_url: str  # the address under which the internet reaches the receiver; empty: it does not
    heartbeat_url: str = field(repr=False)  # requested while everything is watched: a dead-man switch; empty: none
    notify_channels: tuple[Channel, ...] = field(repr=False)  # where notifications are sent
    telegram_token: str = field(repr=False)  # of the bot that takes commands; empty: `up` starts no such program
    telegram_url: str  # of the Bot API
    proxy_count: int  # proxies of ours in front of the receiver, whose X-Forwarded-For names the sender
    flower_hosts: tuple[str, ...]  # names under which a browser may ask Flower, besides those of this computer
    prometheus_port: int  # the exporter's on this computer; 0: `up` starts none
    traces_url: str  # where a collector of OpenTelemetry takes spans; empty: `up` starts no trace exporter
    slots: Mapping[str, int]  # of worker fleets, by their names; the others have their defaults
    inhibit_sleep: bool  # `up` keeps the computer from sleeping
    log_level: str
    log_format: str  # console, for a person, or json
    withheld_secrets: tuple[str, ...]  # heartbeat_url, notify_channels: set, and not for this program

    def is_set(self, key: Literal["heartbeat_url", "notify_channels"]) -> bool:
        """Whether a secret is set, also where this program does not have it."""
        return bool(getattr(self, key)) or key in self.withheld_secrets

    @property
    def sender_url(self) -> str:
        """The address for senders of alerts: the public one, else the receiver's own."""
        return self.public_url or self.receiver_url

    def require_database(self) -> str:
        """Return DATABASE_URL; raise SettingsError with a hint if it is not set."""
        if not self.database_url:
            raise SettingsError(
                "DATABASE_URL is not set: start the stack with `tickwork up`, or set it to a PostgreSQL 15+ URL "
                "such as postgresql://user:password@127.0.0.1:5432/tickwork"
            )
        return self.database_url

    def require_redis(self) -> str:
        """Return REDIS_URL; raise SettingsError with a hint if it is not set."""
        if not self.redis_url:
            raise SettingsError(
                "REDIS_URL is not set: start the stack with `tickwork up`, or set it to a Redis 7+ or Valkey URL "
                "such as redis://:password@127.0.0.1:6379/0"
            )
        return self.redis_url

    def require_broker(self) -> str:
        """Return the URL for wake-ups: BROKER_URL, else REDIS_URL; raise SettingsError if neither is set."""
        return self.broker_url or self.require_redis()

    def require_cache(self) -> str:
        """Return the URL of the cache; raise SettingsError if neither TICKWORK_CACHE_URL nor REDIS_URL is set."""
        return self.cache_url or self.require_redis()


def own_settings_file() -> SettingsFile:
    """Return what the settings file says that belongs to this process's environment."""
    own = environment()
    return read_settings_file(settings_file(own, home_folder(own)))


def load_settings(env: Mapping[str, str] | None = None, *, with_secrets: bool = True) -> Settings:
    """Read the settings from `env`, by default the process's environment completed by the settings file.

    `with_secrets=False` leaves out what the system's keyring has. Raise SettingsError that names the variable, or the
    line of the file.
    """
    if env is not None:
        return _parse_settings(env)
    own, found = environment(), own_settings_file()
    try:
        return _parse_settings(found.complete(own, with_secrets=with_secrets))
    except SettingsError as error:
        raise found.locate(error, own) from None


def _parse_settings(values: Mapping[str, str]) -> Settings:
    return Settings(
        home=home_folder(values),
        database_url=parse_database_url(values),
        redis_url=parse_redis_url(values),
        broker_url=parse_broker_url(values),
        cache_url=parse_cache_url(values),
        venue=_parse_venue(values),
        market=values.get("TICKWORK_MARKET", ""),
        contracts=tuple(part.upper() for part in parse_list(values, "TICKWORK_CONTRACTS")),
        limits=parse_switch(values, "TICKWORK_LIMITS", default=True),
        bars_limit=int(parse_choice(values, "TICKWORK_BARS_LIMIT", ("50", "30"), default="50")),
        max_quantity=parse_count(values, "TICKWORK_MAX_QUANTITY", default=5),
        entry_ttl=timedelta(seconds=parse_count(values, "TICKWORK_ENTRY_TTL", default=90)),
        approval_ttl=timedelta(seconds=parse_count(values, "TICKWORK_APPROVAL_TTL", default=300)),
        receiver_url=_parse_receiver_url(values),
        public_url=_parse_public_url(values),
        heartbeat_url=parse_heartbeat_url(values),
        notify_channels=parse_channels(values.get("TICKWORK_NOTIFY_CHANNELS", "")),
        telegram_token=parse_bot_token(values, "TICKWORK_TELEGRAM_TOKEN"),
        telegram_url=parse_telegram_url(values),
        proxy_count=parse_count(values, "TICKWORK_PROXIES", default=0, least=0),
        flower_hosts=tuple(part.lower() for part in parse_list(values, "TICKWORK_FLOWER_HOSTS")),
        prometheus_port=parse_port(values, "TICKWORK_PROMETHEUS_PORT"),
        traces_url=parse_traces_url(values),
        slots=parse_slots("TICKWORK_SLOTS", values.get("TICKWORK_SLOTS", "")),
        inhibit_sleep=parse_switch(values, "TICKWORK_INHIBIT_SLEEP", default=True),
        log_format=parse_choice(values, "TICKWORK_LOG_FORMAT", ("CONSOLE", "JSON"), default="CONSOLE").lower(),
        log_level=parse_choice(values, "TICKWORK_LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR"), default="INFO"),
        withheld_secrets=tuple(parse_list(values, "TICKWORK_WITHHELD_SECRETS")),
    )


def _parse_venue(values: Mapping[str, str]) -> VenueSettings:
    url = values.get("TICKWORK_VENUE_URL", "").rstrip("/")
    hubs_url = values.get("TICKWORK_VENUE_HUBS_URL", "").rstrip("/")
    for name, value in (("TICKWORK_VENUE_URL", url), ("TICKWORK_VENUE_HUBS_URL", hubs_url)):
        shown, parts = mask_password(value), split_url(name, value)
        require_port(name, parts)
        if value and (parts.scheme not in {"http", "https", "ws", "wss"} or not is_host(parts.hostname)):
            raise SettingsError(f"invalid {name} {shown!r}: expected a URL such as https://api.topstepx.com")
        if parts.scheme in {"http", "ws"} and parts.hostname not in LOOPBACK:
            raise SettingsError(
                f"invalid {name} {shown!r}: expected https, as only the simulator on this computer may use http"
            )
    return VenueSettings(
        url=url,
        hubs_url=hubs_url,
        user=values.get("TICKWORK_VENUE_USER", ""),
        key=values.get("TICKWORK_VENUE_KEY", ""),
        is_simulator=parse_switch(values, "TICKWORK_VENUE_IS_SIMULATOR", default=False),
    )


def _parse_receiver_url(values: Mapping[str, str]) -> str:
    value = values.get("TICKWORK_RECEIVER_URL", "").rstrip("/")
    if value and not is_plain_url(value):
        raise SettingsError(
            f"invalid TICKWORK_RECEIVER_URL {mask_password(value)!r}: expected the receiver's own address, such as "
            "http://127.0.0.1:8700"
        )
    return value


def _parse_public_url(values: Mapping[str, str]) -> str:
    """Return the public URL; TradingView posts only to port 443 with https and to port 80 with http, without IPv6."""
    value = values.get("TICKWORK_PUBLIC_URL", "").strip()
    if not value:
        return ""
    invalid = f"invalid TICKWORK_PUBLIC_URL {mask_password(value)!r}"
    if not is_plain_url(value):
        raise SettingsError(f"{invalid}: expected an address such as https://alerts.example.com, and nothing behind it")
    parts = urlsplit(value)
    if (parts.scheme, parts.port or PORTS[parts.scheme]) not in PORTS.items():
        raise SettingsError(
            f"{invalid}: expected https on port 443, or http on port 80: TradingView posts to no other port"
        )
    if not _is_public(parts.hostname or ""):
        raise SettingsError(
            f"{invalid}: expected a name or IPv4 address that the internet reaches; "
            "docs/howto/expose-the-receiver.md shows how to get one"
        )
    return value.rstrip("/")


def _is_public(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return "." in host and not host.endswith((".local", ".localhost", ".internal", ".lan"))
    return address.version == _IPV4 and address.is_global
