"""What a command does with the lost jobs of dead workers while it waits: it helps its own, and no other."""

import pytest

from cli.client import job_client
from cli.client.job_client import JobClient
from shared.config import load_settings
from shared.ledger.jobs.upkeep import DoNothing
from tests.fixtures.ledger_env import LedgerEnv
from tests.fixtures.worker_processes import process

LOST = "UPDATE job SET lease_until = now() - interval '1 minute'"


@pytest.mark.parametrize(("lost_for_s", "state"), [(0.1, "queued"), (60, "running")])
def test_only_the_lost_job_that_a_command_waits_for_is_queued_again_and_only_once_that_lasts(
    ledger_env: LedgerEnv, monkeypatch: pytest.MonkeyPatch, lost_for_s: float, state: str
) -> None:
    monkeypatch.setattr(job_client, "_LOST_FOR_S", lost_for_s)
    mine, other = (ledger_env.enqueue(DoNothing()) for _ in range(2))
    for job_id in (mine, other):
        assert ledger_env.ledger.claim(job_id, process("normal@gone.1/2")) is not None
    ledger_env.execute(LOST)

    JobClient(load_settings(), ledger_env.ledger).wait([mine], 0.7, quiet=True)

    assert (state, "running") == (ledger_env.row(mine)["state"], ledger_env.row(other)["state"])
