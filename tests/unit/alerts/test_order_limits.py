"""Entries above the limit of one order: what is said of them, by account, ratio and kind."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from shared.domain.alerts.order_limits import OrderLimits
from shared.domain.alerts.parse import parse_payload

HOOK = UUID(int=1)
ENTRY: dict[str, Any] = {"action": "buy", "symbol": "MNQ", "quantity": 6}
LIMITS = OrderLimits(5, {2: 4, 3: 8}, {HOOK: {2: Decimal("0.5"), 3: Decimal(2)}})


@pytest.mark.parametrize(
    ("payload", "account_id", "words"),
    [
        (ENTRY, 1, "quantity 6 is above the limit of 5 contracts an order on account 1 (max_quantity): what it closes"),
        (ENTRY, None, "quantity 6 is above the limit of 5 contracts an order (max_quantity): what it closes"),
        (ENTRY, 2, "the limit of 4 contracts an order on account 2"),
        (ENTRY | {"limit_price": 100}, 1, "on account 1 (max_quantity): it is denied"),
        ({"symbol": "MNQ", "market_position": "short", "market_position_size": 6}, 1, "the position wanted 6 is above"),
    ],
)
def test_an_entry_above_the_limit_is_described(payload: dict[str, Any], account_id: int | None, words: str) -> None:
    found = LIMITS.describe_excess(parse_payload(payload), None, account_id)

    assert found is not None
    assert words in found


@pytest.mark.parametrize(
    ("payload", "account_id"),
    [
        (ENTRY, 3),
        (ENTRY | {"quantity": 5}, 1),
        ({"action": "close", "symbol": "MNQ", "quantity": 9}, 1),
        ({"action": "test", "symbol": "MNQ"}, 1),
    ],
)
def test_an_exit_and_an_entry_within_the_limit_are_not(payload: dict[str, Any], account_id: int) -> None:
    assert LIMITS.describe_excess(parse_payload(payload), None, account_id) is None


def test_each_follower_has_its_own_limit_and_the_size_of_its_copy() -> None:
    found = LIMITS.describe_excess(parse_payload(ENTRY), HOOK, 1)

    assert found is not None
    assert ["quantity 6", "quantity 12"] == [part.partition(" is above")[0] for part in found.split("; ")]
    assert "account 2" not in found, "its copy is of 3"
