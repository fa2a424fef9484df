"""A service that takes messages, and a stack whose events until now were looked through."""

from collections.abc import Iterator

import pytest

from tests.fixtures.feed_reports import report_feed
from tests.fixtures.message_service import MessageService
from tests.fixtures.notifying import send
from tests.fixtures.worker_env import WorkerEnv


@pytest.fixture
def service() -> Iterator[MessageService]:
    found = MessageService()
    yield found
    found.close()


@pytest.fixture
def watched(worker_env: WorkerEnv) -> WorkerEnv:
    """A stack whose risk monitor and feed work, and whose events until now were looked through."""
    worker_env.execute(
        "INSERT INTO risk_monitor (host, pid, active_since_at, ran_at, run_count, last_delay, p50_delay, max_delay)"
        " VALUES ('here', 1, now(), now() + interval '1 hour', 1, '0', '0', '0')"
    )
    report_feed(worker_env, is_subscribed=True)
    send(worker_env)
    return worker_env
