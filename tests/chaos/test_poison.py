"""Jobs that kill or hang their process end dead with the reason, and every slot of the fleet works afterwards."""

from pathlib import Path

import pytest

from shared.fleets import Queue
from shared.ledger.jobs.upkeep import DoNothing
from tests.fixtures.killable_stack import KillableStack
from tests.fixtures.ledger_env import LedgerEnv
from tests.fixtures.trial.trials import Hold, Misbehave

FLEET, SLOTS = "low", 4
DEADLINE = "deadline = interval '1 second'"
OVERRUN = "was stopped: its job overran the deadline; its last stack:"
REASONS = {
    "segfault": "crashed; its last stack:\nFatal Python error: Segmentation fault",
    "out of memory": "was lost",
    "loop": OVERRUN,
    "hold the GIL": OVERRUN,
    "result": "Encoding objects of type object is unsupported",
}


@pytest.fixture(scope="module")
def ledger_env(killable_stack: KillableStack) -> LedgerEnv:
    killable_stack.worker(FLEET)
    killable_stack.relay()
    killable_stack.settle()
    return killable_stack.ledger_env


@pytest.mark.chaos
@pytest.mark.parametrize(("how", "reason"), REASONS.items(), ids=REASONS)
def test_a_poison_job_ends_dead_after_its_attempts_and_says_why(
    ledger_env: LedgerEnv, killable_stack: KillableStack, tmp_path: Path, how: str, reason: str
) -> None:
    poison = [ledger_env.enqueue(Misbehave(how=how), DEADLINE) for _ in range(SLOTS)]

    rows = killable_stack.wait_for("dead", *poison)

    assert {2} == {row["attempt"] for row in rows}
    assert all(reason in row["error"] for row in rows), [row["error"] for row in rows]
    assert all("in misbehave" in row["error"] for row in rows if how not in {"out of memory", "result"})
    assert_every_slot_works(ledger_env, killable_stack, tmp_path / "held")


def assert_every_slot_works(ledger_env: LedgerEnv, killable_stack: KillableStack, file: Path) -> None:
    file.touch()
    held = [ledger_env.enqueue(Hold(file=str(file))) for _ in range(SLOTS)]
    killable_stack.wait_for("running", *held)
    file.unlink()
    assert {1} == {row["attempt"] for row in killable_stack.wait_for("succeeded", *held)}
    assert 0 == killable_stack.count_restarts(), (killable_stack.messages, killable_stack.self_exit_reasons())


@pytest.mark.chaos
def test_healthy_jobs_among_poison_are_done_by_the_same_worker(
    ledger_env: LedgerEnv, killable_stack: KillableStack, tmp_path: Path
) -> None:
    poison, healthy = [], []
    for how in REASONS:
        poison.append(ledger_env.enqueue(Misbehave(how=how), DEADLINE))
        healthy += [ledger_env.enqueue(DoNothing(), queue=Queue.LOW) for _ in range(10)]

    assert {1} == {row["attempt"] for row in killable_stack.wait_for("succeeded", *healthy)}
    killable_stack.wait_for("dead", *poison)
    assert_every_slot_works(ledger_env, killable_stack, tmp_path / "held")
