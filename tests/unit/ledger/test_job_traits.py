"""The traits of job types: entries, which may open a position, and probes, which only check."""

import pkgutil
import subprocess
import sys

from shared.ledger import jobs
from shared.ledger.jobs import job_names_with

OPEN_A_POSITION = {
    "alerts.handle_follower_alert", "alerts.handle_alert", "orders.enter_approved", "orders.enter_manually",
    "orders.place_order", "strategies.evaluate_strategy",
}  # fmt: skip


def test_every_job_that_may_open_a_position_is_an_entry() -> None:
    assert OPEN_A_POSITION == set(job_names_with("is_entry"))


def test_what_only_checks_or_tells_is_a_probe() -> None:
    assert {
        "notifications.send_notifications",
        "upkeep.canary",
        "upkeep.check_disk",
        "upkeep.probe_receiver",
        "upkeep.send_heartbeat",
    } == set(job_names_with("is_probe"))


def test_every_program_knows_the_jobs_of_every_subject() -> None:
    code = "from shared.ledger.jobs import job_types; print(*{one.__module__ for one in job_types()})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert {f"{jobs.__name__}.{one.name}" for one in pkgutil.iter_modules(jobs.__path__)} == set(done.stdout.split())
