"""The channels that notifications are sent to: their addresses, what each takes, and its quiet hours."""

import re
from dataclasses import dataclass, field
from datetime import datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from shared.domain.notifications.kinds import Kind, Level
from shared.errors import SettingsError

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_SPAN = re.compile(r"([0-2][0-9]:[0-5][0-9])-([0-2][0-9]:[0-5][0-9])")
_WAY_OUT = "`tickwork config unset notify_channels` forgets all channels, and `tickwork notify add` adds them anew"
DEFAULT_ZONE = "America/Chicago"


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A channel: `url` is Apprise's, and a secret; empty `kinds` are all.

    It takes notifications of `level` and above. In `quiet` hours, such as 22:00-07:00 by the clock of `zone`, only what
    is critical is sent; the rest follows after.
    """

    name: str
    url: str = field(repr=False)
    level: Level = Level.INFO
    kinds: tuple[Kind, ...] = ()
    quiet: str = ""
    zone: str = DEFAULT_ZONE

    @property
    def service(self) -> str:
        """The service that the URL names, such as tgram: the only part of it that is no secret."""
        return self.url.partition("://")[0]

    def takes(self, kind: Kind, level: Level) -> bool:
        """Whether a notification is for this channel."""
        return level.reaches(self.level) and (not self.kinds or kind in self.kinds)

    def is_quiet_at(self, at: datetime) -> bool:
        """Whether `at` lies in the quiet hours, which may span midnight."""
        if not self.quiet:
            return False
        start, end = _parse_span(self.quiet)
        clock = at.astimezone(ZoneInfo(self.zone)).time()
        return start <= clock < end if start <= end else clock >= start or clock < end


def check_channel(channel: Channel) -> Channel:
    """Return the channel; raise SettingsError, which shows no URL, for what is wrong with it."""
    if not _NAME.fullmatch(channel.name):
        raise SettingsError(
            f"invalid channel name {channel.name!r}: expected up to 32 of a-z, 0-9, - and _, such as phone"
        )
    if "://" not in channel.url or any(character.isspace() for character in channel.url):
        raise SettingsError(
            f"invalid URL of channel {channel.name}: expected one of Apprise, such as tgram://BOT_TOKEN/CHAT_ID, "
            "discord://WEBHOOK_ID/TOKEN or ntfy://TOPIC"
        )
    try:
        ZoneInfo(channel.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingsError(f"unknown zone {channel.zone!r}: expected a name such as Europe/Berlin") from None
    if channel.quiet:
        _parse_span(channel.quiet)
    return channel


def parse_channels(text: str) -> tuple[Channel, ...]:
    """Return the channels of the setting notify_channels, JSON written by `tickwork notify`; raise SettingsError."""
    if not text.strip():
        return ()
    try:
        found = msgspec.json.decode(text, type=tuple[Channel, ...])
    except (msgspec.MsgspecError, UnicodeError) as error:
        # msgspec names the place and the type, never the value.
        raise SettingsError(f"invalid TICKWORK_NOTIFY_CHANNELS: {error}; {_WAY_OUT}") from None
    try:
        names = [check_channel(one).name for one in found]
    except SettingsError as error:
        raise SettingsError(f"invalid TICKWORK_NOTIFY_CHANNELS: {error}; {_WAY_OUT}") from None
    if len(set(names)) < len(names):
        raise SettingsError("invalid TICKWORK_NOTIFY_CHANNELS: two channels have the same name")
    return found


def format_channels(channels: tuple[Channel, ...]) -> str:
    """Return the setting's value for these channels."""
    return msgspec.json.encode(channels).decode()


def _parse_span(text: str) -> tuple[time, time]:
    found = _SPAN.fullmatch(text)
    try:
        if found is not None and found[1] != found[2]:
            return time.fromisoformat(found[1]), time.fromisoformat(found[2])
    except ValueError:
        pass
    raise SettingsError(f"invalid quiet hours {text!r}: expected such as 22:00-07:00")
