"""A stack whose trader is told what happens from now on."""

from datetime import timedelta

import pytest

from tests.fixtures.feed_reports import report_feed, report_monitor
from tests.fixtures.worker_env import WorkerEnv


@pytest.fixture
def watched(worker_env: WorkerEnv) -> WorkerEnv:
    """A stack whose risk monitor and feed work, and that has a channel from now on."""
    report_monitor(worker_env, timedelta(hours=1))
    report_feed(worker_env, is_subscribed=True)
    worker_env.execute("INSERT INTO notification_progress (began_at, collected_until_at) VALUES (now(), now())")
    return worker_env
