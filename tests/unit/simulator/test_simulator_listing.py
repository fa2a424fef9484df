"""The front contract of the seeded market, and its roll date."""

from datetime import date, timedelta

import pytest

from shared.domain.market_data.contract import ROOTS
from simulator.market.listing import LISTINGS, front_month, make_contract, roll_date


@pytest.mark.parametrize(
    ("root", "on", "expected"),
    [
        ("MNQ", date(2026, 3, 13), (2026, "H")),
        ("MNQ", date(2026, 3, 16), (2026, "M")),  # Monday of expiry week
        ("MNQ", date(2026, 12, 31), (2027, "H")),
        ("MGC", date(2026, 9, 1), (2026, "Z")),  # gold's October is never the front contract
        ("MCL", date(2026, 8, 17), (2026, "U")),
        ("MCL", date(2026, 8, 18), (2026, "V")),  # observed on this day, venue.md section 8.3
    ],
)
def test_the_front_contract_of_a_day(root: str, on: date, expected: tuple[int, str]) -> None:
    assert expected == front_month(ROOTS[root], on)


@pytest.mark.parametrize("root", LISTINGS)
def test_the_front_contract_never_goes_back_and_has_not_rolled(root: str) -> None:
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(800)]
    contracts = [front_month(ROOTS[root], day) for day in days]

    assert sorted(contracts) == contracts
    assert all(roll_date(ROOTS[root], *contract) > day for contract, day in zip(contracts, days, strict=True))


def test_a_contract_is_named_with_one_digit_of_its_year() -> None:
    contract = make_contract(ROOTS["MES"], 2026, "H", is_active=True)

    assert ("CON.F.US.MES.H26", "MESH6") == (contract.id, contract.name)
