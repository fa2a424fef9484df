"""Every job ends once and takes effect once, whatever is killed, frozen, cut off, emptied, set or used up meanwhile."""

import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.config import environment
from tests.fixtures.chaos_form import IS_LONG
from tests.fixtures.faults import FaultHit, FaultKind, draw_faults, inflict, list_fault_kinds
from tests.fixtures.killable_stack import KillableStack
from tests.fixtures.load import ControlLoad, LoadOutcome, OurLoad
from tests.fixtures.recovery import measure_recovery

SEED = int(environment().get("TICKWORK_SEED") or random.SystemRandom().randrange(10**6))
KILLS = 200 if IS_LONG else 5
PAUSES = (0.5, 1.5) if IS_LONG else (0.5, 1.0)
PER_SECOND = 20
LONGEST_FREEZE_S = 12.0 if IS_LONG else 4.0

OUT_OF_SEQUENCE = """
    SELECT sequence_key, number FROM (
        SELECT sequence_key, number,
               position < lag(position) OVER (PARTITION BY sequence_key ORDER BY sequence_id) AS is_early
        FROM job JOIN effect ON number = (arguments ->> 'number')::integer WHERE sequence_key IS NOT NULL) AS line
    WHERE is_early LIMIT 10
"""
LEASED_BUT_NOT_RUNNING = (
    "SELECT id, state, worker_id, lease_until FROM job WHERE state <> 'running' AND lease_until IS NOT NULL LIMIT 10"
)
RUNNING = "SELECT 1 FROM job WHERE state = 'running'"


@pytest.fixture(scope="module")
def killable_stack(home: Path) -> Iterator[KillableStack]:
    """Servers of this test's own; in the long form Postgres has a clock and a network of its own."""
    killable_stack = KillableStack(home, has_odd_surroundings=IS_LONG and sys.platform == "linux")
    yield killable_stack
    killable_stack.close()


def inflict_many(killable_stack: KillableStack, dice: random.Random) -> list[FaultHit]:
    """Inflict faults until there were enough kills and every kind was inflicted."""
    kinds = list_fault_kinds(killable_stack, LONGEST_FREEZE_S)
    hits: list[FaultHit] = []
    for kind in draw_faults(dice, kinds, one_of_each=not IS_LONG):
        killable_stack.run_for(dice.uniform(*PAUSES))
        while (hit := inflict(killable_stack, dice, kind)) is None:
            killable_stack.run_for(0.2)
        hits.append(hit)
        if sum(one.kind.is_kill for one in hits) >= KILLS and {one.kind for one in hits} == set(kinds):
            return hits
    raise AssertionError


@pytest.mark.chaos
@pytest.mark.timeout(1500)
def test_every_job_ends_once_and_takes_effect_once_whatever_fails(
    killable_stack: KillableStack, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        print(f"\nTICKWORK_SEED={SEED} repeats the faults")
    dice = random.Random(SEED)
    for fleet in ("normal", "normal", "bulk") if IS_LONG else ("normal", "bulk"):
        killable_stack.worker(fleet)
    for _ in range(2):
        killable_stack.relay()
    for _ in range(2 if IS_LONG else 0):
        killable_stack.control(4)
    killable_stack.settle()
    ours = OurLoad(killable_stack, PER_SECOND, SEED)
    control = ControlLoad(killable_stack, PER_SECOND, SEED) if IS_LONG else None
    began = time.monotonic()
    ours.start()
    if control is not None:
        control.start()

    hits = inflict_many(killable_stack, dice)
    faults_s = time.monotonic() - began
    killable_stack.settle()  # the load cannot end while a fault holds every connection
    ours.finish()
    if control is not None:
        control.finish()
    killable_stack.settle()
    killable_stack.until(lambda: ours.count_unfinished() == 0, 300, "the end of every job")
    quiet_s = time.monotonic() - began - faults_s
    if control is not None:
        wait_until_quiet(killable_stack, control)
    outcome = ours.outcome()
    with capsys.disabled():
        for line in format_table(hits, ours, outcome, control):
            print(line)
        print(f"workers ended by themselves: {dict(killable_stack.self_exit_reasons())}")
        print(f"faults for {faults_s:.0f} s, all of ours over {quiet_s:.1f} s later")

    assert {("succeeded", len(ours.asked))} == count_states(killable_stack)
    assert ({}, {}) == (outcome.lost, outcome.duplicated)
    assert [] == killable_stack.ledger_env.rows(LEASED_BUT_NOT_RUNNING)
    assert [] == killable_stack.ledger_env.rows(OUT_OF_SEQUENCE)
    killable_stack.until(lambda: not killable_stack.ledger_env.rows(RUNNING), 60, "nothing running")
    if IS_LONG:
        with capsys.disabled():
            for line in measure_recovery(killable_stack):
                print(line)


def count_states(killable_stack: KillableStack) -> set[tuple[str, int]]:
    """Return each state of the load's jobs with the number of jobs in it."""
    found = killable_stack.ledger_env.rows("SELECT state, count(*) FROM job WHERE name ~ 'effect' GROUP BY state")
    return {(row["state"], row["count"]) for row in found}


def wait_until_quiet(killable_stack: KillableStack, control: ControlLoad, timeout_s: float = 40) -> None:
    """Give the control four times the time that it needs to redeliver unacknowledged messages."""
    last_count, since = -1, time.monotonic()
    while time.monotonic() - since < timeout_s:
        count = sum(map(len, control.marks().values()))
        if count != last_count:
            last_count, since = count, time.monotonic()
        if len(control.marks()) == len(control.asked):
            timeout_s = min(timeout_s, 12)  # only redeliveries are still to come
        killable_stack.run_for(0.5)


def count_by_fault(times: dict[int, float], hits: list[FaultHit], *, is_control: bool) -> Counter[FaultKind]:
    """Count numbers by the nearest possible fault: an estimate, as faults follow each other fast."""
    possible = [hit for hit in hits if hit.kind.reaches_control or not is_control]
    return Counter(min(possible, key=lambda hit: abs(hit.at - at)).kind for at in times.values())


def format_table(hits: list[FaultHit], ours: OurLoad, outcome: LoadOutcome, control: ControlLoad | None) -> list[str]:
    """Return the lines of a table: one for each kind of fault, and the sums."""
    control_outcome = LoadOutcome({}, {}) if control is None else control.outcome()
    columns = [
        Counter(hit.kind for hit in hits),
        count_by_fault(outcome.lost, hits, is_control=False),
        count_by_fault(outcome.duplicated, hits, is_control=False),
        count_by_fault(control_outcome.lost, hits, is_control=True),
        count_by_fault(control_outcome.duplicated, hits, is_control=True),
    ]
    heads = ["count", "ours lost", "twice", "control lost", "twice"]
    lines = [f"{'fault':24}" + "".join(f"{head:>14}" for head in heads)]
    for kind in columns[0]:
        shown = [column[kind] for column in columns[:3]]
        of_control = [
            f"{column[kind]:>14}" if control and kind.reaches_control else f"{'-':>14}" for column in columns[3:]
        ]
        lines.append(f"{kind.name:24}" + "".join(f"{count:>14}" for count in shown) + "".join(of_control))
    sums = [f"{column.total():>14}" for column in columns]
    lines.append(f"{'all':24}" + "".join(sums if control else sums[:3]))
    kills = sum(hit.kind.is_kill for hit in hits)
    lines.append(f"{kills} kills; {len(ours.asked)} jobs of ours, {len(ours.retried)} of them retried")
    if control is not None:
        retries = f"{len(control.retried)} retried, whose duplicates are not counted"
        lines.append(
            f"{len(control.asked)} of the control's, {retries}; {len(control.queued())} late, still in the queue"
        )
    return lines
