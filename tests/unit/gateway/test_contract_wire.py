"""A contract from the venue is accepted only if its tick equals that in our table of roots."""

from typing import Any

import pytest

from shared.gateway import wire

MNQ: dict[str, Any] = {
    "id": "CON.F.US.MNQ.H26", "name": "MNQH6", "tickSize": "0.25", "tickValue": "0.50", "activeContract": True,
}  # fmt: skip


def test_a_contract_with_our_tick_is_accepted() -> None:
    assert 2 == wire.parse_contract(MNQ).point_value


@pytest.mark.parametrize("other", [{"tickSize": "0.5"}, {"tickValue": "5"}])
def test_a_contract_whose_tick_differs_is_refused_with_both_values(other: dict[str, Any]) -> None:
    (value,) = other.values()
    with pytest.raises(
        ValueError, match=rf"MNQ.H26 has a tick of .*{value}.* at the venue, and of 0?.25 worth 0.50 in our"
    ):
        wire.parse_contract(MNQ | other)
