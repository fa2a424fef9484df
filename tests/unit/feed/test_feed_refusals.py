"""An account that the user hub refuses is asked for again after pauses that grow to five minutes."""

import pytest

from workers.feed.refusals import Refusals


def test_an_account_without_a_refusal_is_due() -> None:
    assert Refusals().is_due(0)


@pytest.mark.parametrize(("count", "pause_s"), [(1, 5), (2, 10), (3, 20), (7, 300), (5_000, 300)])
def test_the_pause_doubles_from_five_seconds_to_five_minutes(count: int, pause_s: float) -> None:
    refusals = Refusals(count - 1, 0).add(100)

    assert pause_s == refusals.pause_s
    assert not refusals.is_due(100 + pause_s - 0.1)
    assert refusals.is_due(100 + pause_s)
