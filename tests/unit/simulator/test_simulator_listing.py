"""Which contract the seeded market calls the front one, and when it rolls."""

from datetime import date, timedelta

import pytest

from shared.domain.market_data.contract import ROOTS
from simulator.market.listing import LISTINGS, front, make_contract, rolls_on


@pytest.mark.parametrize(
    ("root", "on", "expected"),
    [
        ("MNQ", date(2026, 3, 13), (2026, "H")),
        ("MNQ", date(2026, 3, 16), (2026, "M")),  # Monday of expiry week
        ("MNQ", date(2026, 12, 31), (2027, "H")),
        ("MGC", date(2026, 9, 1), (2026, "Z")),  # gold's October is never the front contract
        ("MCL", date(2026, 8, 17), (2026, "U")),
        ("MCL", date(2026, 8, 18), (2026, "V")),  # measured on this very day, venue.md section 8.3
    ],
)
def test_the_front_contract_of_a_day(root: str, on: date, expected: tuple[int, str]) -> None:
    assert expected == front(ROOTS[root], on)


@pytest.mark.parametrize("root", LISTINGS)
def test_the_front_contract_only_moves_on_and_has_not_rolled(root: str) -> None:
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(800)]
    seen = [front(ROOTS[root], day) for day in days]

    assert sorted(seen) == seen
    assert all(rolls_on(ROOTS[root], *contract) > day for contract, day in zip(seen, days, strict=True))


def test_a_contract_is_named_with_one_digit_of_its_year() -> None:
    contract = make_contract(ROOTS["MES"], 2026, "H", is_active=True)

    assert ("CON.F.US.MES.H26", "MESH6") == (contract.id, contract.name)
