"""Which lines of the programs are shown on the console of `up`, and which go into no log."""

import pytest

from cli.local.processes.program_lines import LostClaimFilter, is_error

LOST_CLAIM = [
    'ERROR:  duplicate key value violates unique constraint "uq_job_sequence_key_running"',
    "DETAIL:  Key (sequence_key)=(account:20001) already exists.",
    "STATEMENT:",
    "\t    WITH lax AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))",
    "\t    UPDATE job SET state = 'running'",
]
OTHERS = [
    "LOG:  checkpoint complete",
    'ERROR:  duplicate key value violates unique constraint "uq_signal_alert_id"',
    "DETAIL:  Key (alert_id)=(7) already exists.",
]


def test_a_lost_claim_is_left_out_of_the_log_of_postgres_and_nothing_else_is() -> None:
    is_noise = LostClaimFilter()
    lines = [*OTHERS, *LOST_CLAIM, *LOST_CLAIM, *OTHERS]

    assert [*OTHERS, *OTHERS] == [line for line in lines if not is_noise(line)]


@pytest.mark.parametrize(
    ("line", "is_shown"),
    [
        ("23:39:58 ERROR   workers.recording: it is dead", True),
        ("23:39:58 CRITICAL workers: it cannot go on", True),
        ("23:39:58 WARNING workers.recording: it failed", False),
        ("23:39:58 INFO    receiver: ERROR is a word", False),
        ("Traceback (most recent call last):", False),
        ("FATAL:  the database system is starting up", False),
    ],
)
def test_only_errors_of_our_programs_are_shown(line: str, *, is_shown: bool) -> None:
    assert is_shown is is_error(line)
