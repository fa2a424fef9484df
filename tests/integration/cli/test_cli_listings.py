"""The listings that look through indexes: each finds what it is asked for, newest first, whatever the rest is."""

import pytest

from tests.fixtures.operator import RunCommand
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

ADD_JOB = """
    INSERT INTO job (id, name, queue, arguments, state, max_attempts, sequence_id, correlation_id, finished_at)
    VALUES (%s, %s, %s, '{}', %s, 3, gen_random_uuid(), gen_random_uuid(),
            CASE WHEN %s IN ('queued', 'running') THEN NULL ELSE now() - interval '1 minute' * %s END)
"""
JOBS = (  # number, name, queue, state, ended how many minutes ago
    (1, "orders.place_order", "high", "succeeded", 100),
    (2, "orders.place_order", "high", "dead", 100),
    (3, "orders.flatten", "critical", "failed", 3),
    (4, "orders.place_order", "critical", "succeeded", 2),
    (5, "orders.flatten", "critical", "running", 0),
    (6, "orders.place_order", "high", "queued", 0),
    (7, "upkeep.canary", "high", "succeeded", 1),
)


@pytest.fixture
def listed(worker_env: WorkerEnv) -> WorkerEnv:
    worker_env.execute("DELETE FROM job")
    for number, name, queue, state, ago in JOBS:
        worker_env.rows(f"{ADD_JOB} RETURNING 1", f"{number:032}", name, queue, state, state, ago)
    return worker_env


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", [6, 5, 4, 3, 2, 1]),
        ("--limit 2", [6, 5]),
        ("--name orders.place_order", [6, 4, 2, 1]),
        ("--name orders.place_order --limit 2", [6, 4]),
        ("--name orders.place_order --queue high", [6, 2, 1]),
        ("--name orders.place_order --state succeeded", [4, 1]),
        ("--name orders.flatten --state running", [5]),
        ("--name upkeep.canary", []),
        ("--queue critical", [5, 4, 3]),
        ("--queue critical --state succeeded", [4]),
        ("--queue high --state dead", [2]),
        ("--state failed", [3]),
        ("--state queued", [6]),
        ("dead", [2]),
        ("dead --name orders.flatten", []),
    ],
)
def test_jobs_are_listed_newest_first_by_every_choice(
    listed: WorkerEnv,  # noqa: ARG001  # it has the jobs
    operator: RunCommand,
    options: str,
    expected: list[int],
) -> None:
    found = operator("jobs", *options.split(), "--json").json["jobs"]

    assert expected == [int(job["id"].replace("-", "")) for job in found]


def test_metrics_count_what_waits_runs_or_is_dead_and_what_else_ended_in_the_window(
    listed: WorkerEnv,  # noqa: ARG001  # as above
    operator: RunCommand,
) -> None:
    queues = {row["queue"]: row for row in operator("metrics", "--last", "1h", "--json").json["queues"]}

    high, critical = queues["high"], queues["critical"]
    assert (1, 1, 0) == (high["queued"], high["dead"], high["succeeded"]), "a probe that has ended does not count"
    assert (1, 1, 1) == (critical["running"], critical["failed"], critical["succeeded"])


def test_bars_of_one_product_and_of_all_are_listed_newest_first_with_their_coverage(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    worker_env.execute("DELETE FROM bar_minute")
    worker_env.execute(
        "INSERT INTO bar_minute SELECT id, start, 1, 1, 1, 1, 1 FROM contract, generate_series("
        "timestamptz '2026-11-02 15:00Z', '2026-11-02 15:02Z', interval '1 minute') AS start"
    )
    worker_env.execute("UPDATE contract SET coverage = '{[2026-11-02 15:00Z, 2026-11-02 15:03Z)}'")
    (count,) = worker_env.rows("SELECT count(*) FROM contract")[0]

    of_all, of_one = (
        operator("bars", "--limit", "1000", "--json").json,
        operator("bars", "MNQ", "--limit", "2", "--json").json,
    )

    assert (3 * count, count) == (len(of_all["bars"]), len(of_all["coverage"]))
    assert {3} == {row["covered_minutes"] for row in of_all["coverage"]}
    assert [MNQ] == [row["contract"] for row in of_one["coverage"]]
    for symbol in ("MNQ1!", "CME_MINI:MNQ1!", "mnq", f"MNQ{MNQ[-3:-2]}{MNQ[-1]}", MNQ):
        assert of_one["bars"] == operator("bars", symbol, "--limit", "2", "--json").json["bars"]
    assert "unknown symbol 'FOO'" in operator("bars", "FOO").words
    starts = [row["start"] for row in of_all["bars"]]
    assert sorted(starts, reverse=True) == starts
    assert [MNQ, MNQ] == [row["contract"] for row in of_one["bars"]]
    assert ["15:02", "15:01"] == [row["start"][11:16] for row in of_one["bars"]]


def test_fills_of_all_accounts_are_listed_newest_first(worker_env: WorkerEnv, operator: RunCommand) -> None:
    account = worker_env.venue.account_id
    worker_env.execute("INSERT INTO account (id, name, balance, can_trade) VALUES (77, 'OTHER', 1, false)")
    worker_env.execute(
        "INSERT INTO fill (account_id, venue_fill_id, venue_order_id, contract_id, side, quantity, price, fees,"
        f" commissions, filled_market_at) SELECT CASE WHEN n % 2 = 0 THEN 77 ELSE {account} END, n, n, '{MNQ}', 'BUY',"
        " 1, 1, 0, 0, timestamptz '2026-11-02 15:00Z' + n / 3 * interval '1 minute' FROM generate_series(1, 9) AS n"
    )

    found = operator("orders", "--limit", "4", "--json").json["fills"]

    assert [9, 8, 7, 6] == [row["venue_fill_id"] for row in found]
