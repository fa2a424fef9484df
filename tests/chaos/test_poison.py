"""Jobs that kill or hold their process end dead with the reason, and the fleet works all its slots afterwards."""

from pathlib import Path

import pytest

from shared.fleets import Queue
from shared.ledger.jobs.upkeep import DoNothing
from tests.fixtures.killable_stack import Plant
from tests.fixtures.ledger_env import Floor
from tests.fixtures.trial.trials import Hold, Misbehave

FLEET, SLOTS = "low", 4
DEADLINE = "deadline = interval '1 second'"
OVERRAN = "was stopped: its job overran the deadline; its last stack:"
REASONS = {
    "segfault": "crashed; its last stack:\nFatal Python error: Segmentation fault",
    "out of memory": "was lost",
    "loop": OVERRAN,
    "hold the GIL": OVERRAN,
    "result": "Encoding objects of type object is unsupported",
}


@pytest.fixture(scope="module")
def floor(plant: Plant) -> Floor:
    plant.worker(FLEET)
    plant.relay()
    plant.settle()
    return plant.floor


@pytest.mark.chaos
@pytest.mark.parametrize(("how", "reason"), REASONS.items(), ids=REASONS)
def test_a_poison_job_ends_dead_after_its_attempts_and_says_why(
    floor: Floor, plant: Plant, tmp_path: Path, how: str, reason: str
) -> None:
    poison = [floor.ask(Misbehave(how=how), DEADLINE) for _ in range(SLOTS)]

    rows = plant.wait_for("dead", *poison)

    assert {2} == {row["attempt"] for row in rows}
    assert all(reason in row["error"] for row in rows), [row["error"] for row in rows]
    assert all("in misbehave" in row["error"] for row in rows if how not in {"out of memory", "result"})
    works_all_its_slots(floor, plant, tmp_path / "held")


def works_all_its_slots(floor: Floor, plant: Plant, file: Path) -> None:
    file.touch()
    held = [floor.ask(Hold(file=str(file))) for _ in range(SLOTS)]
    plant.wait_for("running", *held)
    file.unlink()
    assert {1} == {row["attempt"] for row in plant.wait_for("succeeded", *held)}
    assert 0 == plant.restarts(), (plant.said, plant.remarks())


@pytest.mark.chaos
def test_healthy_jobs_among_poison_are_done_by_the_same_worker(floor: Floor, plant: Plant, tmp_path: Path) -> None:
    poison, healthy = [], []
    for how in REASONS:
        poison.append(floor.ask(Misbehave(how=how), DEADLINE))
        healthy += [floor.ask(DoNothing(), queue=Queue.LOW) for _ in range(10)]

    assert {1} == {row["attempt"] for row in plant.wait_for("succeeded", *healthy)}
    plant.wait_for("dead", *poison)
    works_all_its_slots(floor, plant, tmp_path / "held")
