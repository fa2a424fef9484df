"""A stack whose events until now were looked through."""

from datetime import timedelta

import pytest

from tests.fixtures.feed_reports import report_feed, report_monitor
from tests.fixtures.notifying import send
from tests.fixtures.worker_env import WorkerEnv


@pytest.fixture
def watched(worker_env: WorkerEnv) -> WorkerEnv:
    """A stack whose risk monitor and feed work, and whose events until now were looked through."""
    report_monitor(worker_env, timedelta(hours=1))
    report_feed(worker_env, is_subscribed=True)
    send(worker_env)
    worker_env.execute("UPDATE notification_progress SET began_at = now()")  # a channel is set from then on
    return worker_env
