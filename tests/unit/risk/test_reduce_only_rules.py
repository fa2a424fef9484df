"""What passes on a reduce-only account: an entry that only makes a position smaller, and no wider stop."""

from dataclasses import replace

import pytest

from shared.domain.market_data.calendar import calendar_of
from shared.domain.orders.order import Side
from shared.domain.risk.account_risk import AccountRisk, OpenEntry
from shared.domain.risk.entry_rules import SizedEntry, check_resend, check_wider_stop, reducible_quantity
from tests.fixtures.account_risks import NOON, contract, held, risk, rules_of
from tests.fixtures.entry_rules import BOOK, only_finding, violations_of


def reducing(quantity: int, working: int = 0) -> AccountRisk:
    """Return a reduce-only account that holds so many MNQ, with so many at work, negative to sell."""
    side = Side.BUY if working > 0 else Side.SELL
    entries = (OpenEntry(contract("MNQ").id, "MNQ", side, abs(working)),) if working else ()
    return replace(risk(), reduce_only_reason="CPI", holdings=(held("MNQ", quantity),), open_entries=entries)


@pytest.mark.parametrize("way", [1, -1])
@pytest.mark.parametrize(
    ("closes", "quantity", "working", "is_allowed"),
    [
        (True, 1, 0, True),
        (True, 2, 0, True),  # to flat
        (True, 3, 0, False),
        (True, 1, 1, True),
        (True, 2, 1, False),
        (False, 1, 0, False),
        (False, 1, 1, False),
    ],
)
def test_only_an_entry_that_makes_a_position_smaller_passes_on_either_side(
    way: int,
    closes: bool,  # noqa: FBT001
    quantity: int,
    working: int,
    is_allowed: bool,  # noqa: FBT001
) -> None:
    """`way` is the side of the position of two; what works closes it."""
    side = Side.SELL if (way > 0) is closes else Side.BUY
    found = violations_of(SizedEntry(contract("MNQ"), side, quantity, 40), reducing(2 * way, -working * way))

    assert is_allowed == (found == [])
    if not is_allowed:
        assert "reduce-only: CPI; only an entry that makes a position smaller passes" == only_finding(found).message


def test_a_flat_account_and_another_contract_enter_nothing() -> None:
    flat = replace(risk(), reduce_only_reason="CPI")
    for side in Side:
        assert ["reduce_only"] == rules_of(violations_of(SizedEntry(contract("MNQ"), side, 1, 40), flat))
    assert ["reduce_only"] == rules_of(violations_of(SizedEntry(contract("NQ"), Side.SELL, 1, 40), reducing(2)))


@pytest.mark.parametrize(("working", "most"), [(0, 2), (-1, 1), (-2, 0), (-3, -1), (1, 2)])
def test_what_works_on_the_side_of_an_entry_leaves_less_to_reduce(working: int, most: int) -> None:
    assert most == reducible_quantity(contract("MNQ").id, Side.SELL, reducing(2, working))


def test_an_entry_that_only_reduces_is_sent_again_and_no_other() -> None:
    calendar = calendar_of("equity")
    for side, rules in ((Side.SELL, []), (Side.BUY, ["reduce_only"])):
        sent = SizedEntry(contract("MNQ"), side, 1, 40)
        counted = reducing(2, 1 if side is Side.BUY else -1)
        assert rules == rules_of(check_resend(sent, counted, BOOK, NOON, calendar=calendar))


def test_no_stop_is_moved_away_from_the_market() -> None:
    stop = SizedEntry(contract("MNQ"), Side.BUY, 2, 80)
    assert ["reduce_only"] == rules_of(check_wider_stop(stop, stop, reducing(2), BOOK, NOON))
