"""Parsers of single settings; an error names the variable, its value and what was expected."""

import re
from collections.abc import Mapping

from shared.errors import SettingsError

_BOT_TOKEN = re.compile(r"[0-9]{6,20}:[A-Za-z0-9_-]{30,80}")
_MOST_SLOTS = 64
_LAST_PORT = 65535


def parse_switch(values: Mapping[str, str], name: str, *, default: bool) -> bool:
    """Return whether the variable is on; raise SettingsError for what is neither on nor off."""
    value = values.get(name, "").strip().lower()
    if not value:
        return default
    if value in {"1", "on", "true", "yes"}:
        return True
    if value in {"0", "off", "false", "no"}:
        return False
    raise SettingsError(f"invalid {name} {value!r}: expected on or off")


def parse_count(values: Mapping[str, str], name: str, *, default: int, least: int = 1) -> int:
    """Return the variable as a whole number; raise SettingsError if it is none, or below `least`."""
    value = values.get(name, "").strip()
    if not value:
        return default
    if not re.fullmatch(r"[0-9]{1,9}", value) or int(value) < least:
        raise SettingsError(f"invalid {name} {value!r}: expected a whole number, at least {least}")
    return int(value)


def parse_port(values: Mapping[str, str], name: str) -> int:
    """Return the variable as a port, 0 without one; raise SettingsError for what is no port."""
    port = parse_count(values, name, default=0, least=0)
    if port > _LAST_PORT:
        raise SettingsError(f"invalid {name} '{port}': expected a port, at most {_LAST_PORT}, or 0 for none")
    return port


def parse_bot_token(values: Mapping[str, str], name: str) -> str:
    """Return the token of a Telegram bot, empty without one; raise SettingsError, which does not show it."""
    value = values.get(name, "").strip()
    if value and not _BOT_TOKEN.fullmatch(value):
        raise SettingsError(f"invalid {name}: expected the bot's token as @BotFather gave it, digits:letters")
    return value


def parse_list(values: Mapping[str, str], name: str) -> list[str]:
    """Return the parts of the variable between commas, without empty ones."""
    return [part.strip() for part in values.get(name, "").split(",") if part.strip()]


def parse_choice(values: Mapping[str, str], name: str, choices: tuple[str, ...], *, default: str) -> str:
    """Return the variable in upper case; raise SettingsError if it is none of the choices."""
    typed = values.get(name, "").strip()
    value = typed.upper() or default
    if value not in choices:
        raise SettingsError(f"invalid {name} {typed!r}: expected one of {', '.join(choices)}")
    return value


def parse_slots(name: str, value: str) -> dict[str, int]:
    """Return numbers of slots by fleet, such as critical=4,bulk=2; raise SettingsError, naming `name`, for others."""
    slots: dict[str, int] = {}
    for part in filter(None, (one.strip() for one in value.split(","))):
        fleet, separator, count = part.partition("=")
        if not (separator and fleet and re.fullmatch(r"[0-9]{1,2}", count) and 1 <= int(count) <= _MOST_SLOTS):
            raise SettingsError(
                f"invalid {name} {part!r}: expected FLEET=NUMBER, from 1 to {_MOST_SLOTS}, such as critical=4,bulk=2"
            )
        slots[fleet] = int(count)
    return slots
