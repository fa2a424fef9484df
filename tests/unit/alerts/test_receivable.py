"""Entries that the receiver refuses at once: from the future, or in a contract that is not traded."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.domain.alerts.parse import parse_alert
from shared.domain.alerts.payload import RefusedAlertError
from shared.domain.alerts.receivable import MAX_AHEAD, require_receivable
from tests.fixtures.venue import MNQ

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
ENTRY = {"action": "buy", "symbol": "MNQ", "quantity": 1}
EXIT = {"action": "close", "symbol": "MNQ"}
TO_LONG = {"symbol": "MNQU2031", "market_position": "long", "market_position_size": 1}


def refused_field(body: dict[str, Any], traded: tuple[str, ...] = (MNQ,)) -> str | None:
    """Return the field for which a body is refused, None if it is taken."""
    try:
        require_receivable(parse_alert(json.dumps(body).encode()), NOW, traded)
    except RefusedAlertError as error:
        return error.field
    return None


@pytest.mark.parametrize(("ahead_s", "field"), [(-3600, None), (60, None), (61, "timenow")])
def test_an_entry_from_the_future_is_refused_and_an_exit_is_taken(ahead_s: int, field: str | None) -> None:
    assert 60 == MAX_AHEAD.seconds
    sent = {"timenow": (NOW + timedelta(seconds=ahead_s)).isoformat()}

    assert field == refused_field(ENTRY | sent)
    assert None is refused_field(EXIT | sent)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (ENTRY, None),
        (ENTRY | {"symbol": "MGC"}, "symbol"),
        (ENTRY | {"symbol": "MNQU2031"}, "symbol"),
        (TO_LONG, None),
        (TO_LONG | {"symbol": "MGC"}, "symbol"),
        (EXIT | {"symbol": "MGC"}, None),
    ],
    ids=str,
)
def test_an_entry_in_a_contract_that_is_not_traded_is_refused_once_the_contracts_are_known(
    body: dict[str, Any], field: str | None
) -> None:
    assert field == refused_field(body)
    assert None is refused_field(body, traded=())
