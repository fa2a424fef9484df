"""A file whose days the holiday table does not reach is not replayed: its sessions are not known."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.domain.market_data.bar import MINUTE
from shared.errors import SettingsError
from simulator.market.replay import ReplayMarket
from tests.fixtures.venue import write_bars


def recording(folder: Path, starts: datetime) -> Path:
    rows = [((starts + n * MINUTE).isoformat(), "25000", "25001", "24999", "25000.5", 10) for n in range(3)]
    return write_bars(folder / "mnqh6-1m.csv", rows)


@pytest.mark.parametrize(
    "starts", [datetime(2017, 12, 29, 15, tzinfo=UTC), datetime(2029, 1, 2, 15, tzinfo=UTC)], ids=str
)
def test_a_recording_beyond_the_holiday_table_is_refused_with_its_range(tmp_path: Path, starts: datetime) -> None:
    with pytest.raises(SettingsError, match=f"no market hours for {starts.date()}: the holiday table reaches from"):
        ReplayMarket(recording(tmp_path, starts))


@pytest.mark.parametrize(
    "starts", [datetime(2018, 1, 2, 15, tzinfo=UTC), datetime(2028, 12, 29, 15, tzinfo=UTC)], ids=str
)
def test_a_recording_at_the_edge_of_the_table_is_replayed(tmp_path: Path, starts: datetime) -> None:
    market = ReplayMarket(recording(tmp_path, starts))
    [contract] = market.contracts(starts)

    assert market.is_open(contract, starts + timedelta(minutes=1))
