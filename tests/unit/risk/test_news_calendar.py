"""Calendar files of news: iCalendar and CSV, what they refuse, and the windows that follow from their events."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.risk.icalendar import parse_icalendar
from shared.domain.risk.news_calendar import MOST_EVENTS, NewsEvent, merge_windows, parse_csv
from shared.domain.risk.rule_book import NewsWindow
from shared.errors import RefusedError
from tests.fixtures.account_risks import chicago, contract, rules_of
from tests.fixtures.entry_rules import BOOK, BUY, violations_of

CPI = NewsEvent("CPI", datetime(2026, 12, 10, 13, 30, tzinfo=UTC))
NOW = datetime(2026, 11, 29, tzinfo=UTC)


def calendar(*lines: str) -> str:
    """Return an iCalendar text with one event of these lines; the event begins on line 2."""
    return "\r\n".join(["BEGIN:VCALENDAR", "BEGIN:VEVENT", *lines, "END:VEVENT", "END:VCALENDAR", ""])


@pytest.mark.parametrize(
    "start",
    [
        "DTSTART:20261210T133000Z",
        "DTSTART;TZID=America/New_York:20261210T083000",
        'DTSTART;VALUE=DATE-TIME;TZID="America/Chicago":20261210T073000',
        "DTSTART;TZID=US-Eastern:20261210T083000",
        "DTSTART;TZID=Central Standard Time:20261210T073000",
        "dtstart;tzid=Europe/Berlin:20261210T143000",
    ],
)
def test_an_event_of_an_icalendar_file_has_its_instant_in_utc_or_a_named_zone(start: str) -> None:
    assert [CPI] == parse_icalendar(calendar(start, "SUMMARY:CPI"))


@pytest.mark.parametrize("zone", ["EST", "localtime", "Factory", "right/America/New_York", "posix/America/New_York"])
def test_a_zone_without_its_own_summer_time_is_refused(zone: str) -> None:
    """EST is an hour off in summer, and localtime is this computer's."""
    with pytest.raises(RefusedError, match=f"line 3: invalid 'TZID {zone}'"):
        parse_icalendar(calendar(f"DTSTART;TZID={zone}:20260617T140000", "SUMMARY:FOMC"))


def test_a_summer_time_of_a_named_zone_is_one_hour_earlier() -> None:
    text = calendar("DTSTART;TZID=America/New_York:20260714T083000", "SUMMARY:CPI")

    assert [datetime(2026, 7, 14, 12, 30, tzinfo=UTC)] == [event.at for event in parse_icalendar(text)]


def test_folded_lines_zones_and_alarms_of_a_calendar_are_read_as_the_standard_says() -> None:
    lines = [
        "BEGIN:VCALENDAR",
        "BEGIN:VTIMEZONE",
        "TZID:America/New_York",
        "BEGIN:STANDARD",
        "DTSTART:20071104T020000",
        "RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU",
        "END:STANDARD",
        "END:VTIMEZONE",
        "BEGIN:VEVENT",
        "DTSTART;TZID=America/",
        " New_York:20261210T083000",
        r"SUMMARY:CPI (MoM)\, core\n\; release",
        "BEGIN:VALARM",
        "SUMMARY:not this",
        "DTSTART:not this",
        "END:VALARM",
        "END:VEVENT",
        "BEGIN:VEVENT",
        "DTSTART:20261209T190000Z",
        "SUMMARY:FOMC",
        "STATUS:CANCELLED",
        "END:VEVENT",
        "END:VCALENDAR",
    ]

    assert [NewsEvent("CPI (MoM) core release", CPI.at)] == parse_icalendar("\n".join(lines))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["SUMMARY:CPI", "DTSTART:20261210T083000"], "line 4: invalid '20261210T083000 without a time zone'"),
        (["SUMMARY:CPI", "DTSTART;VALUE=DATE:20261210"], "line 4: invalid '20261210 of an event of a whole day'"),
        (["SUMMARY:CPI", "DTSTART:20261210"], "line 4: invalid '20261210 of an event of a whole day'"),
        (["DTSTART;TZID=Romance Standard Time:20261210T083000", "SUMMARY:CPI"], "TZID Romance Standard Time"),
        (["DTSTART;TZID=../../etc/passwd:20261210T083000", "SUMMARY:CPI"], "expected a zone of the IANA database"),
        (["DTSTART:20261310T083000Z", "SUMMARY:CPI"], "line 3: invalid '20261310T083000Z': expected a time of"),
        (["DTSTART:2026-12-10T13:30Z", "SUMMARY:CPI"], "line 3: invalid '2026-12-10T13:30Z': expected a time such as"),
        (["DTSTART:20261210T133000Z", "RRULE:FREQ=MONTHLY", "SUMMARY:CPI"], "line 4: invalid 'RRULE of a repeating"),
        (["DTSTART:20261210T133000Z"], "line 2: invalid 'an event': expected a DTSTART and a SUMMARY"),
        (["DTSTART:20261210T133000Z", "SUMMARY: ;"], "line 3: invalid name"),
        (["DTSTART:20261210T133000Z", "DTSTART:20261211T133000Z"], "line 4: invalid 'DTSTART': expected one"),
        (["DTSTART:10000101T133000Z", "SUMMARY:CPI"], "line 3: invalid year 1000"),
        (["this is no property"], "line 3: invalid 'this is no property'"),
        (["END:VTODO"], "line 3: invalid 'END:VTODO': expected END:VEVENT"),
    ],
)
def test_what_has_no_certain_instant_is_refused_with_its_line(lines: list[str], message: str) -> None:
    with pytest.raises(RefusedError) as refused:
        parse_icalendar(calendar(*lines))

    assert message in str(refused.value)


@pytest.mark.parametrize(
    "text", ["name,at\nCPI,2026-12-10T13:30Z\n", "BEGIN:VEVENT\nEND:VEVENT\n", "BEGIN:VCALENDAR\n"]
)
def test_a_text_that_is_no_whole_calendar_is_refused(text: str) -> None:
    with pytest.raises(RefusedError, match=r"line [12]: invalid .* expected (BEGIN|END|a property)"):
        parse_icalendar(text)


def test_a_csv_has_a_name_and_an_instant_with_its_offset() -> None:
    text = 'at,impact,name\r\n2026-12-10T08:30-05:00,high,"CPI"\r\n2026-12-09T19:00Z,high,"FOMC, press"\r\n'

    assert [CPI, NewsEvent("FOMC press", datetime(2026, 12, 9, 19, tzinfo=UTC))] == parse_csv(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: column 'name' is missing"),
        ("name,time\nCPI,2026-12-10T13:30Z\n", "line 1: column 'at' is missing"),
        ("name,at\nCPI,2026-12-10T13:30\n", "line 2: invalid at '2026-12-10T13:30': expected a time with its offset"),
        ("name,at\nCPI,2026-12-10T13:30Z\nNFP\n", "line 3: invalid at ''"),
        ("name,at\nFOMC, press,2026-12-09T19:00Z\n", "line 2: too many values"),
        ('name,at\n"CPI,2026-12-10T13:30Z\n', "expected CSV"),
    ],
)
def test_a_csv_without_a_certain_instant_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(RefusedError) as refused:
        parse_csv(text)

    assert message in str(refused.value)


def test_windows_keep_neither_the_past_nor_duplicates_and_are_in_order_of_time() -> None:
    fomc = NewsEvent("FOMC", CPI.at - timedelta(days=1))
    longer = NewsWindow("CPI", CPI.at, timedelta(minutes=30))
    past = NewsWindow("NFP", NOW - timedelta(minutes=6))
    still = NewsWindow("NFP", NOW - timedelta(minutes=5))

    merged = merge_windows((past, still, longer), (CPI, fomc, CPI), (NewsWindow("FOMC", fomc.at),), NOW)

    assert (still, longer) == merged


def test_more_events_than_every_entry_can_read_are_refused() -> None:
    events = [NewsEvent(f"event {number}", CPI.at) for number in range(MOST_EVENTS + 1)]

    assert MOST_EVENTS == len(merge_windows((), events[1:], (), NOW))
    with pytest.raises(RefusedError, match=f"{MOST_EVENTS + 1} events are still to come"):
        merge_windows((), events, (), NOW)


def test_imported_news_forbid_entries_beside_those_set_by_hand() -> None:
    mini = replace(BUY, contract=contract("NQ"))
    book = replace(
        BOOK,
        news=(NewsWindow("FOMC", chicago("2026-11-24T13:00")),),
        imported_news=(NewsWindow("CPI", chicago("2026-11-24T07:30")),),
    )

    for at in ("2026-11-24T07:30", "2026-11-24T13:00"):
        assert ["news"] == rules_of(violations_of(mini, book=book, at=chicago(at)))
    assert [] == violations_of(mini, book=book, at=chicago("2026-11-24T10:00"))
