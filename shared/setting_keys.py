"""The settings that a person may keep in settings.toml: their keys, variables, defaults and meanings."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SettingKey:
    """A setting: `key` in the file, `variable` in the environment; a secret one is never shown."""

    key: str
    variable: str
    default: str
    meaning: str
    is_secret: bool = False


SETTING_KEYS = (
    SettingKey("venue_url", "TICKWORK_VENUE_URL", "", "the real venue's REST address"),
    SettingKey("venue_hubs_url", "TICKWORK_VENUE_HUBS_URL", "", "the address of its hubs"),
    SettingKey("venue_user", "TICKWORK_VENUE_USER", "", "your user name at the venue"),
    SettingKey("venue_key", "TICKWORK_VENUE_KEY", "", "your API key of the venue", is_secret=True),
    SettingKey("contracts", "TICKWORK_CONTRACTS", "MNQ,MES", "roots to track"),
    SettingKey("max_quantity", "TICKWORK_MAX_QUANTITY", "5", "most contracts of one entry"),
    SettingKey("entry_ttl", "TICKWORK_ENTRY_TTL", "90", "seconds after which an entry is too old to submit"),
    SettingKey("approval_ttl", "TICKWORK_APPROVAL_TTL", "300", "seconds that an entry waits for your approval"),
    SettingKey("public_url", "TICKWORK_PUBLIC_URL", "", "the receiver's address on the internet"),
    SettingKey(
        "heartbeat_url", "TICKWORK_HEARTBEAT_URL", "", "requested each minute while all is watched", is_secret=True
    ),
    SettingKey("notify_channels", "TICKWORK_NOTIFY_CHANNELS", "", "written by `tickwork notify add`", is_secret=True),
    SettingKey("telegram_token", "TICKWORK_TELEGRAM_TOKEN", "", "the bot that takes commands", is_secret=True),
    SettingKey(
        "telegram_url", "TICKWORK_TELEGRAM_URL", "https://api.telegram.org", "the address of Telegram's Bot API"
    ),
    SettingKey("proxies", "TICKWORK_PROXIES", "0", "tunnels and proxies in front of the receiver"),
    SettingKey("flower_hosts", "TICKWORK_FLOWER_HOSTS", "", "more names under which a browser may open Flower"),
    SettingKey("prometheus_port", "TICKWORK_PROMETHEUS_PORT", "0", "port of the metrics for Prometheus; 0: none"),
    SettingKey("traces_url", "TICKWORK_TRACES_URL", "", "where a collector of OpenTelemetry takes traces; empty: none"),
    SettingKey("inhibit_sleep", "TICKWORK_INHIBIT_SLEEP", "on", "keep the computer awake while the stack runs"),
    SettingKey("slots", "TICKWORK_SLOTS", "critical=4,high=4,normal=4,bulk=8", "jobs of each fleet at once"),
    SettingKey("log_level", "TICKWORK_LOG_LEVEL", "INFO", "DEBUG, INFO, WARNING or ERROR"),
    SettingKey("log_format", "TICKWORK_LOG_FORMAT", "console", "console, for a person, or json, with whole ids"),
    SettingKey("bars_limit", "TICKWORK_BARS_LIMIT", "50", "requests for bars in 30 s: 50 or 30"),
    SettingKey("limits", "TICKWORK_LIMITS", "on", "off lifts the venue's request limits, for benchmarks"),
    SettingKey("database_url", "DATABASE_URL", "", "your own PostgreSQL; default: the embedded one"),
    SettingKey("redis_url", "REDIS_URL", "", "your own Redis or Valkey; default: the embedded one"),
    SettingKey("broker_url", "BROKER_URL", "", "RabbitMQ, or another Redis, for wake-ups; default: redis_url"),
    SettingKey("cache_url", "TICKWORK_CACHE_URL", "", "another Redis for the cache; default: a database of redis_url"),
)
BY_KEY = {one.key: one for one in SETTING_KEYS}
BY_VARIABLE = {one.variable: one for one in SETTING_KEYS}
