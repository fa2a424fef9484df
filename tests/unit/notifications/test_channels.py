"""Channels: what each takes, its quiet hours, and errors that show no URL."""

from datetime import datetime

import pytest

from shared.domain.notifications.channel import Channel, check_channel, format_channels, parse_channels
from shared.domain.notifications.kinds import Kind, Level
from shared.errors import SettingsError

URL = "tgram://123456789:AAF-secret/42"


def test_a_channel_takes_its_level_and_above_of_its_kinds() -> None:
    channel = Channel(name="phone", url=URL, level=Level.WARNING, kinds=(Kind.FILL, Kind.ACCOUNT))

    assert [True, True, False] == [channel.takes(Kind.FILL, level) for level in Level]
    assert [False, False, False] == [channel.takes(Kind.JOB, level) for level in Level]
    assert Channel(name="office", url=URL).takes(Kind.SUMMARY, Level.INFO)


@pytest.mark.parametrize(
    ("quiet", "at", "is_quiet"),
    [
        ("22:00-07:00", "2026-11-30T21:59:59-06:00", False),
        ("22:00-07:00", "2026-11-30T22:00:00-06:00", True),
        ("22:00-07:00", "2026-11-30T06:59:59-06:00", True),
        ("22:00-07:00", "2026-11-30T07:00:00-06:00", False),
        ("12:00-13:00", "2026-07-01T12:30:00-05:00", True),
        ("12:00-13:00", "2026-07-01T12:30:00-06:00", False),
        ("", "2026-11-30T03:00:00-06:00", False),
    ],
)
def test_quiet_hours_follow_the_clock_of_their_zone(quiet: str, at: str, *, is_quiet: bool) -> None:
    channel = Channel(name="phone", url=URL, quiet=quiet)

    assert is_quiet is channel.is_quiet_at(datetime.fromisoformat(at))


def test_channels_survive_the_setting() -> None:
    channels = (
        Channel(name="phone", url=URL, level=Level.CRITICAL, kinds=(Kind.FILL,), quiet="22:00-07:00", zone="UTC"),
        Channel(name="office", url="ntfy://a,b?c=d"),
    )

    assert channels == parse_channels(format_channels(channels))
    assert () == parse_channels("")
    assert "secret" not in repr(channels)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": "Phone"}, "invalid channel name 'Phone'"),
        ({"url": "secret"}, "invalid URL of channel phone: expected one of Apprise"),
        ({"url": "tgram://secret /1"}, "invalid URL of channel phone"),
        ({"zone": "Europe/Nowhere"}, "unknown zone 'Europe/Nowhere'"),
        ({"zone": "../etc/passwd"}, "unknown zone"),
        ({"quiet": "22-7"}, "invalid quiet hours '22-7': expected such as 22:00-07:00"),
        ({"quiet": "25:00-07:00"}, "invalid quiet hours"),
        ({"quiet": "22:00-22:00"}, "invalid quiet hours"),
    ],
)
def test_what_is_wrong_with_a_channel_is_named_without_its_url(changes: dict[str, str], expected: str) -> None:
    with pytest.raises(SettingsError, match=expected.replace("[", r"\[")) as error:
        check_channel(Channel(**({"name": "phone", "url": URL} | changes)))  # type: ignore[arg-type]
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    "text",
    ["secret", '[{"name": "phone", "url": 7}]', '[{"name": "phone", "url": "a://secret", "level": "loud"}]', "[1]"],
)
def test_a_setting_that_cannot_be_read_is_refused_without_its_text(text: str) -> None:
    with pytest.raises(SettingsError, match="invalid TICKWORK_NOTIFY_CHANNELS") as error:
        parse_channels(text)
    assert "secret" not in str(error.value)


def test_two_channels_of_one_name_are_refused() -> None:
    with pytest.raises(SettingsError, match="the same name"):
        parse_channels(format_channels((Channel(name="one", url=URL), Channel(name="one", url=URL))))
