"""Random alerts, fills, halts, payouts and clock steps through the whole path, held against a plain model."""

import itertools
import random
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from shared.config import environment
from shared.ledger import claims, recovery, transitions
from tests.fixtures.chaos_form import IS_LONG
from tests.fixtures.plain_trader import (
    FLAT_BY,
    LAST_ENTRY,
    NEXT_DAY,
    CancelEntries,
    CloseAll,
    ClosePart,
    CloseTo,
    Halt,
    Op,
    PassTime,
    Payout,
    PlainEntry,
    PlainTarget,
    Plunge,
    Reports,
    Touch,
    Trouble,
)
from tests.fixtures.random_trading import SETTLE, RandomTrader
from tests.fixtures.stepped_env import open_stepped_env
from tests.fixtures.venue import OPEN_AT
from workers.orders import guard_position, submit

EXAMPLES = int(environment().get("TICKWORK_EXAMPLES", "0")) or (50 if IS_LONG else 8)
MUTATIONS = ("/api/Order/place", "/api/Order/cancel", "/api/Order/modify", "/api/Position/closeContract")

sizes = st.sampled_from([1, 2, 3])
signed = st.sampled_from([1, 2, 3, -1, -2, -3])
entries = st.builds(PlainEntry, signed, st.booleans())
exits = st.one_of(
    st.builds(CloseAll, st.booleans()),
    st.builds(ClosePart, sizes),
    st.builds(CloseTo, signed),
    st.just(CancelEntries()),
)
troubles = st.one_of(
    st.just(Trouble("", "partial_fill")),
    st.builds(
        Trouble,
        st.sampled_from(MUTATIONS),
        st.sampled_from(["lose_answer_after", "lose_before", "status", "duplicate"]),
    ),
)
instants = st.sampled_from(
    [
        OPEN_AT + timedelta(minutes=1),
        OPEN_AT + timedelta(hours=1),
        LAST_ENTRY + timedelta(minutes=1),
        FLAT_BY + timedelta(minutes=5),
        NEXT_DAY + timedelta(minutes=5),
        NEXT_DAY + timedelta(hours=1),
    ]
)
ops = st.one_of(
    entries,
    st.builds(PlainTarget, signed),
    exits,
    exits,
    troubles,
    st.builds(Payout, st.sampled_from([200_000, 12_345, -1])),
    st.just(Reports()),
    st.one_of(
        st.builds(Halt, st.booleans()),
        st.builds(Touch, st.booleans()),
        st.builds(Plunge, st.booleans()),
        st.builds(PassTime, instants),
    ),
)
gaps = st.sampled_from([0, 0, 1, 2, 3, SETTLE])
paths = st.lists(st.tuples(ops, gaps), min_size=1, max_size=12)


@pytest.mark.chaos
@pytest.mark.timeout(3600)
def test_whatever_is_asked_no_exit_is_refused_and_nothing_is_held_that_was_not_asked(
    servers: tuple[str, str],
    template_with_bars: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In the long form with new examples; TICKWORK_SEED repeats them."""
    for module in (claims, transitions, recovery, submit):
        monkeypatch.setattr(module, "LEASE", timedelta(hours=1))
    # No fact arrives by waiting here, and a slow computer must not flatten what a slow worker would.
    monkeypatch.setattr(guard_position, "GRACE", timedelta(0))
    monkeypatch.setattr(guard_position, "FLATTEN_AFTER", timedelta(hours=1))
    chosen = int(environment().get("TICKWORK_SEED", "0")) or random.randrange(10**6)
    if IS_LONG:
        with capsys.disabled():
            print(f"\nrandom trading, seed {chosen}, {EXAMPLES} examples")
    numbers = itertools.count()

    @settings(
        max_examples=EXAMPLES,
        derandomize=not IS_LONG,
        deadline=None,
        database=None,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(paths)
    def trade(path: list[tuple[Op, int]]) -> None:
        folder = tmp_path / str(next(numbers))
        with open_stepped_env(*servers, template_with_bars, folder) as stepped:
            trader = RandomTrader(stepped)
            for op, gap in path:
                trader.ask(op, gap)
            trader.settle()

    (seed(chosen)(trade) if IS_LONG else trade)()
