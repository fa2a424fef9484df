"""Messages as senders document them, and mistakes in them: the alert of each, and the position after it."""

from pathlib import Path

import pytest

from shared.domain.alerts.dialects import DIALECTS, read_payload_in
from shared.domain.alerts.parse import parse_alert
from shared.domain.alerts.payload import RefusedAlertError
from tests.unit.alerts.dialects.meaning import HELD, Row, describe, position_after
from tests.unit.alerts.dialects.messages import (
    origin_discord,
    origin_flat,
    origin_railway,
    pickmytrade,
    text,
    tickwork,
    traderspost,
    tradingview,
)

MESSAGES: dict[str, list[Row]] = {
    "origin-discord": origin_discord.ROWS,
    "origin-flat": origin_flat.ROWS,
    "origin-railway": origin_railway.ROWS,
    "pickmytrade": pickmytrade.ROWS,
    "text": text.ROWS,
    "tickwork": tickwork.ROWS,
    "traderspost": traderspost.ROWS,
    "tradingview": tradingview.ROWS,
}
ROWS = [(dialect, *row) for dialect, rows in MESSAGES.items() for row in rows]
ACCEPTED = [row for row in ROWS if not row[2].startswith(("refused ", "payload "))]
REFUSALS = [row for row in ROWS if row[2].startswith("refused ")]
TRANSLATED = [row for row in ROWS if row[2].startswith("payload ")]


def test_every_dialect_has_messages_and_no_message_is_there_twice() -> None:
    assert set(DIALECTS) == set(MESSAGES)
    assert len({(dialect, body) for dialect, body, *_ in ROWS}) == len(ROWS)


def test_the_guarantee_has_the_number_of_messages() -> None:
    page = Path(__file__).resolve().parents[4] / "docs" / "explanation" / "guarantees.md"

    assert f"| {len(ROWS)} messages, " in page.read_text()


@pytest.mark.parametrize(("dialect", "body", "expected", "positions"), ACCEPTED)
def test_an_accepted_message_is_the_alert_and_leads_to_the_position_in_the_table(
    dialect: str, body: str, expected: str, positions: str
) -> None:
    alert = parse_alert(body.encode(), dialect)

    assert expected == describe(alert)
    assert positions == " ".join(str(position_after(alert, held)) for held in HELD)


@pytest.mark.parametrize(("dialect", "body", "expected"), [row[:3] for row in REFUSALS])
def test_a_refusal_names_the_field_and_shows_the_right_message(dialect: str, body: str, expected: str) -> None:
    field, _, hint = expected.removeprefix("refused ").partition(": ")
    with pytest.raises(RefusedAlertError) as caught:
        parse_alert(body.encode(), dialect)

    assert field == caught.value.field
    assert hint in f"{caught.value.hint}"


@pytest.mark.parametrize(("dialect", "body", "expected"), [row[:3] for row in TRANSLATED])
def test_a_change_of_orders_has_our_action_and_trades_nothing(dialect: str, body: str, expected: str) -> None:
    payload = read_payload_in(dialect, body.encode())
    alert = parse_alert(body.encode(), dialect)

    fields = dict(part.split("=", 1) for part in expected.removeprefix("payload ").split())
    assert fields == {name: str(payload.get(name)) for name in fields}
    assert fields["action"].upper() == alert.action
    assert HELD == tuple(position_after(alert, held) for held in HELD)


@pytest.mark.parametrize(("dialect", "body"), [row[:2] for row in ACCEPTED])
def test_a_secret_of_the_sender_is_in_no_parsed_field(dialect: str, body: str) -> None:
    parsed = str(parse_alert(body.encode(), dialect))

    assert [] == [secret for secret in ("Ct8tPtD3", "abc") if secret in parsed]
