"""A venue whose answers of bars a test changes, and the end of the bars that are fetched from it."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from shared.domain.market_data.bar import MINUTE
from tests.fixtures.fetched_bars import SPAN
from tests.fixtures.order_sessions import other_gateway
from tests.fixtures.other_gateway import OtherGateway
from tests.fixtures.worker_env import WorkerEnv


@pytest.fixture
def gateway(worker_env: WorkerEnv) -> Iterator[OtherGateway]:
    with other_gateway(worker_env.venue) as gateway:
        yield gateway


@pytest.fixture
def closed_until(worker_env: WorkerEnv) -> datetime:
    """The end of the bars, long enough ago that a minute without one counts; no five minutes end then.

    All but SPAN before it is complete, and no bar is stored.
    """
    at = (worker_env.venue.clock.now() - 10 * MINUTE).replace(second=0, microsecond=0)
    at -= MINUTE if at.minute % 5 == 0 else timedelta(0)
    worker_env.execute(
        "DELETE FROM bar_minute; DELETE FROM job_key; DELETE FROM strategy_run;"
        f" UPDATE contract SET unconfirmed = '{{}}', answered_market_at = NULL,"
        f" coverage = tstzmultirange(tstzrange('{at - timedelta(days=9)}', '{at - SPAN}'))"
    )
    return at
