"""The active month of a root stays the same for a trading day."""

from shared.domain.market_data.active_month import keep_active
from shared.domain.market_data.contract import ROOTS
from simulator.market.listing import make_contract

SOLD, BOUGHT = "H", "M"  # the old month and the new one, which the venue now flags


def offered(*months: str) -> list[str]:
    """Return the ids of the contracts of MNQ that stay active, if the venue offers these months, the last as active."""
    found = [make_contract(ROOTS["MNQ"], 2026, month, is_active=month == months[-1]) for month in months]
    kept = keep_active(found, {"MNQ": "CON.F.US.MNQ.H26", "MES": "CON.F.US.MES.H26"}, {})
    return [contract.id for contract in kept if contract.is_active]


def test_a_month_that_was_active_earlier_in_the_day_stays_so_after_the_venue_has_moved_on() -> None:
    assert ["CON.F.US.MNQ.H26"] == offered(SOLD, BOUGHT)


def test_a_month_that_the_venue_offers_no_more_is_not_kept() -> None:
    assert ["CON.F.US.MNQ.M26"] == offered(BOUGHT)


def test_without_a_month_of_the_day_the_venue_decides() -> None:
    found = [make_contract(ROOTS["MNQ"], 2026, month, is_active=month == BOUGHT) for month in (SOLD, BOUGHT)]

    assert found == keep_active(found, {}, {"MNQ": "CON.F.US.MNQ.H26"})


def test_of_two_months_that_the_venue_calls_active_the_one_before_stays() -> None:
    found = [make_contract(ROOTS["MNQ"], 2026, month, is_active=True) for month in (SOLD, BOUGHT)]

    def list_active(before: dict[str, str]) -> list[str]:
        return [contract.id for contract in keep_active(found, {}, before) if contract.is_active]

    assert ["CON.F.US.MNQ.H26"] == list_active({"MNQ": "CON.F.US.MNQ.H26"})
    assert 2 == len(list_active({}))
    assert 2 == len(list_active({"MNQ": "CON.F.US.MNQ.Z25"}))
