"""The age of prices in open sessions: across reconnects, and from the opening on."""

from shared.hot.feed_health import ContractHealth
from workers.feed.price_ages import PriceAges


def contract(silent_s: float | None, *, is_in_session: bool = True) -> dict[str, ContractHealth]:
    return {"MNQ": ContractHealth(silent_s=silent_s, is_in_session=is_in_session)}


def test_the_age_is_the_time_since_the_last_data() -> None:
    ages = PriceAges()
    ages.observe(contract(0.0), 100.0)

    assert {"MNQ": 250} == ages.observe(contract(0.25), 101.0)
    assert {"MNQ": 1250} == ages.observe(contract(1.25), 102.0)


def test_a_reconnect_before_the_next_data_does_not_begin_the_age_anew() -> None:
    ages = PriceAges()
    ages.observe(contract(0.0), 100.0)

    assert {"MNQ": 3000} == ages.observe(contract(None), 103.0)
    assert {"MNQ": 500} == ages.observe(contract(0.5), 104.0)


def test_a_closed_market_has_no_age_and_the_next_session_begins_with_its_opening() -> None:
    ages = PriceAges()
    ages.observe(contract(0.0), 100.0)
    assert {} == ages.observe(contract(50.0, is_in_session=False), 150.0)

    assert {"MNQ": 0} == ages.observe(contract(3600.0), 3700.0)
    assert {"MNQ": 2000} == ages.observe(contract(3602.0), 3702.0)


def test_a_contract_without_any_data_ages_from_when_it_was_first_seen_open() -> None:
    ages = PriceAges()
    assert {"MNQ": 0} == ages.observe(contract(None), 100.0)

    assert {"MNQ": 5000} == ages.observe(contract(None), 105.0)
