"""What answers show of a contract's minutes."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.market_data.bar import MINUTE
from shared.domain.market_data.bar_coverage import BarCoverage
from shared.domain.market_data.coverage import Span

NOW = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)
ASKED = Span(NOW - 20 * MINUTE, NOW - 10 * MINUTE)


@pytest.mark.parametrize("is_second", [None, False], ids=["fetch", "backfill"])
@pytest.mark.parametrize(("seconds", "complete"), [(1, ()), (29, ()), (30, (ASKED,))])
def test_two_answers_of_one_moment_confirm_nothing_fetch_or_backfill(
    *, is_second: bool | None, seconds: int, complete: tuple[Span, ...]
) -> None:
    first = BarCoverage(answered_market_at=NOW - timedelta(minutes=1)).add_answer(
        ASKED, [], [ASKED], NOW, is_second=is_second
    )
    second = first.add_answer(ASKED, [], [ASKED], NOW + timedelta(seconds=seconds))

    assert complete == second.complete
