"""A collector of traces, and a stack that exports them."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from shared.db.metrics import spans
from tests.fixtures.trace_service import TraceService
from tests.fixtures.worker_env import WorkerEnv
from workers.tracing import exporter


@pytest.fixture
def service() -> Iterator[TraceService]:
    found = TraceService()
    yield found
    found.close()


@pytest.fixture
def traced(worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch) -> WorkerEnv:
    """A stack whose spans are to be exported from now on, as soon as they have ended."""
    monkeypatch.setattr(exporter, "LAG", timedelta(0))
    with worker_env.ledger.engine.begin() as connection:
        assert spans.lock_progress(connection) is not None
    return worker_env
