"""The pure parts of the bot: updates, commands, codes, locks and limits."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyotp import TOTP

from shared.log import mask_secrets
from workers.telegram.codes import find_lock, find_step
from workers.telegram.commands import Command, CommandKind, parse_command
from workers.telegram.limits import SenderLimits
from workers.telegram.message_text import fit_lines
from workers.telegram.updates import parse_update

NOW = datetime(2026, 11, 30, 18, 0, 10, tzinfo=UTC)
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
STEP = int(NOW.timestamp()) // 30
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
PARTS = st.fixed_dictionaries(
    {},
    optional={
        "update_id": VALUES | st.integers(0, 10**9),
        "message": VALUES
        | st.fixed_dictionaries(
            {"date": VALUES | st.integers(0, 2 * 10**9)},
            optional={
                "from": VALUES | st.just({"id": 41}),
                "chat": VALUES | st.just({"id": 41, "type": "private"}),
                "text": VALUES,
            },
        ),
    },
)


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_an_update_or_none(raw: bytes) -> None:
    assert parse_update(raw) is None


def test_what_is_nested_without_end_is_not_understood() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    assert parse_update(deep.encode()) is None
    found = parse_update(f'{{"update_id": 7, "message": {{"via_bot": {deep}}}}}'.encode())
    assert found is None or (found.message, found.ignored) == (None, "not understood")


@given(PARTS)
def test_what_is_no_message_of_a_person_is_ignored_with_a_reason(part: dict[str, object]) -> None:
    found = parse_update(json.dumps(part).encode())
    if found is not None:
        assert (found.message is None) == bool(found.ignored)
        assert found.id == part["update_id"]
    if found is not None and found.message is not None:
        assert found.message.telegram_id == 41
        assert found.message.text.isprintable()


@given(st.text(max_size=5_000))
def test_any_text_is_a_command_and_a_reason_is_short(text: str) -> None:
    assert len(parse_command(text).rest) <= 200


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/status", Command(CommandKind.STATUS)),
        ("/Halt@my_bot  the news ", Command(CommandKind.HALT, "the news")),
        ("123 456", Command(CommandKind.CODE, "123456")),
        ("/code 123456", Command(CommandKind.HELP)),
        ("1234567", Command(CommandKind.HELP)),
        ("/halted", Command(CommandKind.HELP)),
    ],
)
def test_a_line_is_a_command(text: str, expected: Command) -> None:
    assert expected == parse_command(text)


@pytest.mark.parametrize(
    ("steps", "used", "expected"),
    [
        (-2, None, None),
        (-1, None, -1),
        (0, None, 0),
        (1, None, 1),
        (2, None, None),
        (0, 0, None),
        (1, 0, 1),
        (-1, 0, None),
    ],
)
def test_a_code_is_right_within_a_step_and_newer_than_the_one_that_was_used(
    steps: int, used: int | None, expected: int | None
) -> None:
    code = TOTP(SECRET).generate_otp(STEP + steps)
    found = find_step(SECRET, code, (NOW,), None if used is None else STEP + used)

    assert (None if expected is None else STEP + expected) == found


@pytest.mark.parametrize(
    ("steps", "used", "expected"),
    [(-4, None, None), (-3, None, -3), (-3, -4, -3), (-3, -3, None), (-2, -1, None), (1, -1, 1)],
)
def test_a_code_that_was_right_when_it_was_sent_is_right_once(
    steps: int, used: int | None, expected: int | None
) -> None:
    code = TOTP(SECRET).generate_otp(STEP + steps)
    found = find_step(SECRET, code, (NOW, NOW - timedelta(seconds=60)), None if used is None else STEP + used)

    assert (None if expected is None else STEP + expected) == found


@given(st.lists(st.text(max_size=3_000) | st.just("\N{ROCKET}" * 900), max_size=40))
def test_lines_that_do_not_fit_into_a_message_are_counted(lines: list[str]) -> None:
    told = fit_lines(lines, "`tickwork status`", "Send your code.")
    shown, count = told.split("\n"), sum(len(one.splitlines()) for one in lines)
    rest = [one for one in shown if one.startswith("... ") and one.endswith("more: `tickwork status`")]

    assert len(told.encode("utf-16-le", "replace")) <= 2 * 4096
    assert shown[-1] == "Send your code."
    assert len(shown) - 1 == count or int(rest[-1].split()[1]) == count - (len(shown) - 2)


def test_a_line_that_is_cut_shows_it() -> None:
    assert fit_lines(["a" * 1_001], "there") == "a" * 996 + " ..."
    assert fit_lines(["a" * 1_000], "there") == "a" * 1_000


def test_each_fifth_wrong_code_locks_for_twice_as_long_up_to_a_day() -> None:
    minutes = [
        None if (until := find_lock(count, NOW)) is None else (until - NOW) / timedelta(minutes=1)
        for count in range(1, 51)
    ]

    assert [15, 30, 60, 120, 240, 480, 960, 1440, 1440, 1440] == [one for one in minutes if one is not None]
    assert [5, 10, 15] == [count for count, one in enumerate(minutes[:15], 1) if one is not None]
    assert NOW + timedelta(days=1) == find_lock(5 * 10**6, NOW)


def test_limits_forget_what_is_old() -> None:
    limits, later = SenderLimits(), NOW + timedelta(hours=1, seconds=1)
    assert 20 == sum(limits.may_command("anna", NOW) for _ in range(30))
    assert limits.may_command("ben", NOW)
    assert limits.may_command("anna", NOW + timedelta(seconds=61))
    assert 20 == sum(limits.may_audit(number % 25, NOW) for number in range(100))
    assert limits.may_audit(1, later)
    assert not limits.may_audit(1, later)


@pytest.mark.parametrize("colon", [":", "%3A"])
def test_a_bots_token_is_masked_wherever_it_stands(colon: str) -> None:
    token = f"987654321{colon}AAsecret-token_of_the_bot-0123456789"
    error = f"HTTPSConnectionPool(host='api.telegram.org'): Max retries exceeded with url: /bot{token}/getUpdates?a=1"

    assert "secret" not in mask_secrets(error)
    assert mask_secrets(error).endswith("/bot***/getUpdates?a=1")
    key = "token:0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b:1234567:0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"
    assert key == mask_secrets(key)
