"""A run in which everything fails reveals neither the key nor a token: not in logs, rows, tracebacks or reprs."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from shared.hot.connection import connect
from shared.hot.logins import RedisTokenStore
from shared.ledger.jobs.accounts import SnapshotAccounts
from shared.ledger.jobs.orders import ReconcileAccounts
from shared.log import mask_secrets
from shared.log_setup import set_up_logging
from tests.fixtures.venue import KEY, MNQ, FaultDetails
from tests.fixtures.worker_env import WorkerEnv

PATHS = ("/api/Account/search", "/api/Order/search", "/api/Order/v2/query", "/api/Order/place", "/api/Auth/loginKey")
FAULTS: tuple[tuple[str, FaultDetails], ...] = (
    ("lose_before", {}), ("status", {"status": 401}), ("status", {"status": 500}),
    ("reject", {"error_code": 3}), ("status", {"status": 429}),
)  # fmt: skip


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """The log that a program would write to stderr at level DEBUG."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    set_up_logging("DEBUG")
    stream = io.StringIO()
    handler = root.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_run_in_which_everything_fails_reveals_no_secret(worker_env: WorkerEnv, written: io.StringIO) -> None:
    secrets = {KEY}
    with connect(worker_env.settings.cache_url) as redis:
        tokens = RedisTokenStore(redis, worker_env.settings.venue)
        for kind, details in FAULTS:
            for path in PATHS:
                worker_env.venue.faults(path=path, kind=kind, count=2, **details)
            job_ids = [worker_env.enqueue(job) for job in (SnapshotAccounts(), ReconcileAccounts())]
            job_ids.append(worker_env.flatten(MNQ))
            job_ids.append(worker_env.entry_alert())
            for job_id in job_ids:
                worker_env.runner.run(job_id)
                token = tokens.get()
                secrets |= {token.text} if token else set()
            worker_env.venue.remove_faults()
    rows = worker_env.rows(
        "SELECT row_to_json(job)::text FROM job UNION ALL SELECT row_to_json(api_call)::text FROM api_call"
    )
    everything = written.getvalue() + json.dumps(rows)

    assert len(secrets) > 2
    assert "Error" in everything
    assert [] == [secret for secret in secrets if secret in everything]


def test_what_stands_behind_a_masked_password_is_shown() -> None:
    line = "redis://:p@ss@127.0.0.1:6379/0 failed: see me@example.com or https://example.com/@me"

    assert "redis://:***@127.0.0.1:6379/0 failed: see me@example.com or https://example.com/@me" == mask_secrets(line)
    assert "['redis://:***@h', 'a@b']" == mask_secrets("['redis://:hush@h', 'a@b']")


@pytest.mark.parametrize(
    "line",
    [
        "Authorization: Bearer SECRET",
        "wss://rtc.test/hubs/user?access_token=SECRET&x=1",
        '{"userName": "a", "apiKey": "SECRET"}',
        "apiKey=SECRET",
        "the token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.SECRET was refused",
        "redis://:SECRET@127.0.0.1/0",
        "redis://:p@SECRET@127.0.0.1/0",
        "redis://:p@@SECRET@@127.0.0.1/0",
        "amqp://me@example.com:SECRET@127.0.0.1/v",
        "amqp://me:p/SECRET@127.0.0.1/v",
        "unix:///run/v.sock?db=1&password=SECRET",
        "postgresql://me@h:5432/db?password=a@SECRET&sslpassword=SECRET",
        "POST /hooks/tv/%41SECRET- failed",
        f"the API token tw_SECRET{'x' * 37} is wrong",
        "the signing secret whsec_SECRET+SECRET/SECRET= is wrong",
    ],
)
def test_a_secret_is_masked_in_every_form_of_log_line(line: str) -> None:
    assert "SECRET" not in mask_secrets(line)
    assert "***" in mask_secrets(line)
