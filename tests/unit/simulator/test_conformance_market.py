"""What the events of the market hub tell a conformance run, and what they do not."""

from typing import Any

import pytest

from simulator.conformance.market_checks import DEPTH_VOLUME, assess_depth, assess_nulls
from simulator.conformance.results import CheckVerdict

DIFFERS, SAME, NOT_ASKED = CheckVerdict.DIFFERS, CheckVerdict.SAME, CheckVerdict.NOT_ASKED


@pytest.mark.parametrize(
    ("payloads", "verdict"),
    [
        ([[1, 2, 3, None], [1]], SAME),
        ([[1], [1, 2]], NOT_ASKED),
        ([[1, 2, 3]], DIFFERS),
        ([[1, 2, None]], DIFFERS),
        ([{}], NOT_ASKED),
    ],
)
def test_arrays_are_padded_only_if_a_null_came(payloads: list[Any], verdict: CheckVerdict) -> None:
    assert verdict == assess_nulls(payloads).verdict


@pytest.mark.parametrize(
    ("type_", "current", "verdict"), [(1, 5, SAME), (2, 0, DIFFERS), (3, 5, NOT_ASKED), (4, 0, NOT_ASKED)]
)
def test_the_current_volume_is_assessed_by_entries_of_the_book(type_: int, current: int, verdict: CheckVerdict) -> None:
    results = {row.id: row.verdict for row in assess_depth([[{"type": type_, "volume": 5, "currentVolume": current}]])}

    assert verdict == results[DEPTH_VOLUME.id]
