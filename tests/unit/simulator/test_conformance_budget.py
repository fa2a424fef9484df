"""The request budget of a conformance run: what it waits for, and what it no longer does near an end."""

import pytest

from shared.clock import monotonic
from shared.errors import RateLimitedError
from simulator.conformance import budget
from simulator.conformance.budget import RequestBudget

PATH = "/api/Order/search"


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    monkeypatch.setattr(budget, "OTHER_LIMIT", (1, 61.0))
    return []


def test_it_waits_for_its_turn_and_for_a_whole_window(waits: list[float]) -> None:
    requests = RequestBudget()
    requests.wait = waits.append
    requests.wait_for_turn(PATH)
    requests.wait_for_turn(PATH)
    requests.wait_for_window(PATH)

    assert [61, 61] == [round(wait) for wait in waits]


@pytest.mark.parametrize("name", ["wait_for_turn", "wait_for_window"])
def test_a_wait_beyond_the_end_is_refused_at_once(waits: list[float], name: str) -> None:
    requests = RequestBudget()
    requests.wait = waits.append
    requests.wait_for_turn(PATH)
    requests.ends_at = monotonic() + 30
    with pytest.raises(RateLimitedError, match=PATH):
        getattr(requests, name)(PATH)

    assert [] == waits
