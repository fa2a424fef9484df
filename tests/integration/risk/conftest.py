"""The position that the tests of the watch share."""

import pytest

from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv


@pytest.fixture
def long_two(worker_env: WorkerEnv) -> WorkerEnv:
    """Long two MNQ, 4 dollars a point, under rules with an allowance of 2,000 dollars and no daily loss limit."""
    worker_env.execute(
        """UPDATE account SET preset = 'combine-50k', day_opening_balance = 50000, high_water_mark = 50000"""
    )
    worker_env.entry_alert(quantity=2, stop_loss_ticks=1000)
    worker_env.run_due_jobs()
    assert 2 == worker_env.venue.position(MNQ)
    return worker_env
