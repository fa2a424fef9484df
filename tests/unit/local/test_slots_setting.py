"""How many jobs of a fleet run at once: TICKWORK_SLOTS and `up --slots`."""

import pytest

from shared.config import load_settings
from shared.errors import SettingsError
from shared.fleets import fleet_named, require_known_fleets


def test_a_fleet_has_the_slots_that_are_set_and_the_others_their_defaults() -> None:
    slots = load_settings({"TICKWORK_SLOTS": "critical=2, bulk=12"}).slots

    assert {"critical": 2, "bulk": 12} == slots
    assert [2, 12, 4] == [fleet_named(name, slots).slots for name in ("critical", "bulk", "high")]


@pytest.mark.parametrize(
    "value", ["critical", "critical=", "critical=0", "critical=65", "=3", "critical=-1", "high=four"]
)
def test_what_is_no_number_of_slots_is_refused_with_the_value(value: str) -> None:
    with pytest.raises(SettingsError, match=f"invalid TICKWORK_SLOTS {value!r}: expected FLEET=NUMBER"):
        load_settings({"TICKWORK_SLOTS": f"bulk=2,{value}"})


def test_slots_of_an_unknown_fleet_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"unknown fleet 'trading': expected one of .*critical"):
        require_known_fleets({"trading": 8})
