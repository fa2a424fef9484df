"""`up --market NAME`: the name gives the seed, and options that contradict it are refused."""

from pathlib import Path

import pytest

from cli.local.former_market import check_wanted_market, require_same_market
from cli.local.market import MarketChoice
from shared.errors import SettingsError

SEEDED = MarketChoice("sim_seed_7", "seeded", "", ())
LIVE = MarketChoice("api_topstepx_com", "live", "", ())


@pytest.mark.parametrize("name", ["sim_seed_7", "sim_seed_7-2", "tickwork_sim_seed_7-12"])
def test_the_name_of_a_seeded_market_has_its_seed(name: str) -> None:
    assert 7 == check_wanted_market(name, seed=None, is_fresh=False, replay=None)
    assert 7 == check_wanted_market(name, seed=7, is_fresh=False, replay=None)
    require_same_market(name, SEEDED, is_embedded=True)


def test_other_names_have_no_seed() -> None:
    assert check_wanted_market("mgc_2022_04", seed=None, is_fresh=False, replay=Path("mgc_2022_04.csv")) is None
    assert check_wanted_market("api_topstepx_com", seed=None, is_fresh=False, replay=None) is None
    require_same_market("api_topstepx_com", LIVE, is_embedded=True)


def test_what_contradicts_the_name_is_refused() -> None:
    with pytest.raises(SettingsError, match="--market sim_seed_7 has the seed 7: leave --seed 8 out"):
        check_wanted_market("sim_seed_7", seed=8, is_fresh=False, replay=None)
    with pytest.raises(SettingsError, match="give one of them"):
        check_wanted_market("sim_seed_7", seed=None, is_fresh=True, replay=None)
    with pytest.raises(SettingsError, match="a recorded one needs its --replay FILE"):
        require_same_market("mgc_2022_04-2", LIVE, is_embedded=True)
    with pytest.raises(SettingsError, match="a database of the embedded server"):
        require_same_market("api_topstepx_com", LIVE, is_embedded=False)
