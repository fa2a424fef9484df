"""`tickwork jobs` leaves out the jobs of the test alerts that the stack posts to itself."""

from shared.db.alerts import probe_hook
from tests.fixtures.operator import RunCommand
from tests.fixtures.worker_env import WorkerEnv


def test_a_test_alert_of_the_stack_is_listed_only_when_it_is_asked_for(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    with worker_env.ledger.engine.begin() as connection:
        assert probe_hook.lock(connection, b"token hash")
    test = {"action": "test", "symbol": "MNQ"}
    by_stack = str(worker_env.store_alert(probe_hook.PROBE_HOOK_ID, test))
    by_person = str(worker_env.store_alert(None, test))
    worker_env.run_due_jobs()

    listed = [row["id"] for row in operator("jobs", "--json").json["jobs"]]
    assert (True, False) == (by_person in listed, by_stack in listed)
    every = [row["id"] for row in operator("jobs", "--all", "--json").json["jobs"]]
    assert {by_person, by_stack} <= set(every)
