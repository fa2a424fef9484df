"""The scope of an API token: job names, and whole subjects."""

import pytest

from shared.errors import SettingsError
from shared.ledger.job_scope import is_in_scope, list_jobs_in_scope


@pytest.mark.parametrize(
    ("name", "scope", "expected"),
    [
        ("orders.poll_fills", ["orders.poll_fills"], True),
        ("orders.poll_fills", ["upkeep.canary", "orders.*"], True),
        ("orders.poll_fills", ["orders.poll"], False),
        ("orders.poll_fills", ["orders.poll_fillss"], False),
        ("orders.poll_fills", ["order.*"], False),
        ("orders.poll_fills", ["orders"], False),
        ("orders.poll_fills", ["*"], False),
        ("orders.poll_fills", [".*"], False),
        ("orders.poll_fills", ["orders.p*"], False),
        ("orders.poll_fills", [], False),
        ("orders.apply_execution_reports", ["orders.*", "orders.apply_execution_reports"], False),
    ],
)
def test_a_scope_covers_its_names_and_its_subjects(name: str, scope: list[str], expected: bool) -> None:  # noqa: FBT001
    assert expected is is_in_scope(name, scope)


def test_the_jobs_of_a_scope_are_listed_once() -> None:
    names = [one.job_name() for one in list_jobs_in_scope(["upkeep.*", "upkeep.canary", "accounts.snapshot_accounts"])]

    assert [
        "accounts.snapshot_accounts",
        "upkeep.canary",
        "upkeep.check_disk",
        "upkeep.delete_old_rows",
        "upkeep.do_nothing",
        "upkeep.probe_receiver",
        "upkeep.send_heartbeat",
    ] == names


@pytest.mark.parametrize("part", ["orders.poll", "order.*", "*", ".*", "orders.p*", "", "orders.*.*"])
def test_a_part_that_names_no_job_is_refused_with_the_names(part: str) -> None:
    with pytest.raises(SettingsError, match=r"accounts\.snapshot_accounts") as refused:
        list_jobs_in_scope(["orders.poll_fills", part])

    assert f"invalid job {part!r}" in str(refused.value)
