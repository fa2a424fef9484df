"""The events of an iCalendar file: each VEVENT with an instant and a name. Source: RFC 5545."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared.domain.risk.news_calendar import NewsEvent, to_event
from shared.errors import RefusedError

_PROPERTY = re.compile(
    r'(?P<name>[A-Za-z0-9-]+)(?P<parameters>(;[A-Za-z0-9-]+=("[^"]*"|[^";:,]*)(,("[^"]*"|[^";:,]*))*)*):(?P<value>.*)',
    re.DOTALL,
)
_PARAMETER = re.compile(r';(?P<name>[A-Za-z0-9-]+)=(?P<value>("[^"]*"|[^";])*)')
_TIME = re.compile(r"[0-9]{8}T[0-9]{6}")
_ESCAPED = re.compile(r"\\([\\;,nN])")
# Names outside the IANA database: of the file of the Bureau of Labor Statistics, and of Outlook.
_OTHER_ZONES = {
    "US-Eastern": "America/New_York",
    "US-Central": "America/Chicago",
    "Eastern Standard Time": "America/New_York",
    "Central Standard Time": "America/Chicago",
}
_SINGLE = ("DTSTART", "SUMMARY")
_LONGEST_SHOWN = 60
_REPEATING = ("RRULE", "RDATE")


@dataclass(frozen=True, slots=True)
class _Line:
    """One content line, unfolded: `number` is that of its first line in the file."""

    number: int
    name: str
    parameters: dict[str, str]
    value: str


def parse_icalendar(text: str) -> list[NewsEvent]:
    """Return the events of an iCalendar text, in its order; a cancelled event is left out.

    Raise RefusedError, which names the line, for a time without a zone, an event of a whole day, a repeating event, and
    for what is not iCalendar.
    """
    events: list[NewsEvent] = []
    opened: list[_Line] = []
    event: dict[str, _Line] = {}
    number = 1
    for line in _parse_lines(text):
        number = line.number
        if not opened:
            _require(line, "BEGIN:VCALENDAR")
        if line.name == "BEGIN":
            opened.append(line)
            event = {} if _is_in_event(opened) else event
        elif line.name == "END":
            _require(line, f"END:{opened[-1].value}")
            events += _to_events(opened[-1], event) if _is_in_event(opened) else []
            opened.pop()
        elif _is_in_event(opened):
            if line.name in _SINGLE and line.name in event:
                raise _refuse(number, line.name, f"one {line.name} in each event")
            event[line.name] = line
    if opened:
        raise _refuse(number, "the end of the file", f"END:{opened[-1].value}")
    return events


def _require(line: _Line, expected: str) -> None:
    found = f"{line.name}:{line.value}"
    if found.upper() != expected.upper():
        raise _refuse(line.number, found, expected)


def _is_in_event(opened: list[_Line]) -> bool:
    return opened[-1].value.upper() == "VEVENT"


def _parse_lines(text: str) -> Iterator[_Line]:
    """Yield the content lines; a line that begins with a space or a tab continues the one before it."""
    number, content = 0, ""
    for found, line in enumerate(text.split("\n"), start=1):
        physical = line.removesuffix("\r")
        if physical[:1] in {" ", "\t"} and content:
            content += physical[1:]
            continue
        if content:
            yield _parse_line(number, content)
        number, content = found, physical
    if content:
        yield _parse_line(number, content)


def _parse_line(number: int, content: str) -> _Line:
    match = _PROPERTY.fullmatch(content)
    if match is None:
        raise _refuse(number, content, "a property of iCalendar such as DTSTART:20261210T133000Z")
    parameters = {one["name"].upper(): one["value"].strip('"') for one in _PARAMETER.finditer(match["parameters"])}
    return _Line(number, match["name"].upper(), parameters, match["value"].strip())


def _to_events(begin: _Line, event: dict[str, _Line]) -> list[NewsEvent]:
    if "STATUS" in event and event["STATUS"].value.upper() == "CANCELLED":
        return []
    for name in _REPEATING:
        if name in event:
            raise _refuse(event[name].number, f"{name} of a repeating event", "an event of its own for each time")
    if "DTSTART" not in event or "SUMMARY" not in event:
        raise _refuse(begin.number, "an event", "a DTSTART and a SUMMARY in it")
    name = _ESCAPED.sub(lambda found: " " if found[1] in "nN" else found[1], event["SUMMARY"].value)
    start = event["DTSTART"]
    return [to_event(start.number, name, _parse_start(start))]


def _parse_start(line: _Line) -> datetime:
    value = line.value
    if line.parameters.get("VALUE", "").upper() == "DATE" or re.fullmatch("[0-9]{8}", value):
        raise _refuse(line.number, f"{value} of an event of a whole day", "the time of the event")
    zone = line.parameters.get("TZID")
    is_utc = value.endswith(("Z", "z"))
    if not _TIME.fullmatch(value.rstrip("Zz")) or (is_utc and zone is not None):
        raise _refuse(line.number, value, "a time such as 20261210T133000Z, or TZID=America/New_York:20261210T083000")
    if not is_utc and zone is None:
        raise _refuse(line.number, f"{value} without a time zone", f"{value}Z or TZID=America/New_York:{value}")
    try:
        at = datetime.strptime(value[:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        raise _refuse(line.number, value, "a time of the calendar") from None
    return at if zone is None else at.replace(tzinfo=_find_zone(line.number, zone))


def _find_zone(number: int, name: str) -> ZoneInfo:
    known = _OTHER_ZONES.get(name, name)
    refusal = _refuse(number, f"TZID {name}", "a zone of the IANA database such as America/New_York")
    # A name without an area, such as EST or localtime, has no summer time, or that of this computer.
    if known != "UTC" and ("/" not in known or known.startswith(("right/", "posix/"))):
        raise refusal
    try:
        return ZoneInfo(known)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise refusal from None


def _refuse(number: int, found: str, expected: str) -> RefusedError:
    shown = found if len(found) <= _LONGEST_SHOWN else f"{found[:_LONGEST_SHOWN]}..."
    return RefusedError(f"line {number}: invalid {shown!r}: expected {expected}")
