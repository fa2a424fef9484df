"""The front contract of the seeded market, and its roll date."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from shared.domain.market_data.bar import to_ticks
from shared.domain.market_data.contract import ROOTS
from shared.domain.market_data.coverage import Span
from simulator.market.listing import LISTINGS, front_month, make_contract, roll_date
from simulator.market.seeded import SeededMarket


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


# What the live venue listed on this day (venue.md section 7.6).
LIVE_ON_2026_08_19 = (
    "BP6.U26 CA6.U26 CLE.V26 CPE.U26 DA6.U26 EEU.U26 ENQ.U26 EP.U26 EU6.U26 FVA.U26 GCE.Z26 GLE.V26 GMET.Q26 HE.V26 "
    "HOE.V26 JY6.U26 M2K.U26 M6A.U26 M6B.U26 M6E.U26 MBT.Q26 MCLE.V26 MES.U26 MGC.Z26 MHG.U26 MNG.U26 MNQ.U26 MX6.U26 "
    "MYM.U26 NE6.U26 NGE.U26 NKD.U26 NQG.U26 NQM.V26 PLE.V26 RBE.V26 RTY.U26 SF6.U26 SIE.U26 SIL.U26 TNA.U26 TUA.U26 "
    "TYA.U26 ULA.U26 USA.U26 YM.U26 ZCE.Z26 ZLE.Z26 ZME.Z26 ZSE.X26 ZWA.Z26"
)


def test_the_active_contracts_are_those_of_the_live_venue() -> None:
    contracts = SeededMarket(7).contracts(datetime(2026, 8, 19, 20, tzinfo=UTC))

    assert [f"CON.F.US.{name}" for name in LIVE_ON_2026_08_19.split()] == sorted(row.id for row in contracts)


@pytest.mark.parametrize("name", LISTINGS)
def test_every_product_trades_in_its_session_at_prices_on_its_ticks(name: str) -> None:
    market, at = SeededMarket(7), datetime(2026, 8, 19, 15, tzinfo=UTC)
    [contract] = [row for row in market.contracts(at) if row.root == name]
    bars = list(market.bars_backwards(contract, Span(at - timedelta(days=2), at)))
    near = to_ticks(LISTINGS[name].price, LISTINGS[name].root.tick_size)

    assert market.is_open(contract, at)
    assert all(near / 2 < bar.low <= bar.high < near * 2 and bar.volume > 0 for bar in bars)
    assert all(market.is_open(contract, bar.start) for bar in bars)


def test_a_market_around_the_clock_has_a_bar_for_each_minute_of_a_weekend_and_a_holiday() -> None:
    market = SeededMarket(7, is_always_open=True)
    for day in (date(2026, 11, 28), date(2026, 12, 25)):
        starts = datetime.combine(day, time(), UTC)
        [contract] = [row for row in market.contracts(starts) if row.root == "MNQ"]
        span = Span(starts, starts + timedelta(days=1))
        bars = list(market.bars_backwards(contract, span))

        assert 1440 == len(bars)
        assert market.session(contract, starts).opens <= starts < market.session(contract, starts).closes
