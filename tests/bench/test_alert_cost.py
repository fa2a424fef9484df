"""What one alert costs: the jobs that it causes, and the round trips to Postgres before the venue is called."""

import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime

import pytest
import requests

from shared.ledger.jobs import job_names_with
from tests.bench.test_order_latency import list_entry_times
from tests.fixtures.database_trips import DatabaseTrips
from tests.fixtures.figures import percentile
from tests.fixtures.servers import new_database
from tests.fixtures.stack import ALERT, Stack, eventually

WARM, ALERTS = 40, 30  # each of four slots prepares a statement when it runs it for the fifth time
MOST_JOBS, MOST_TRIPS = 4, 7  # the targets; canaries and schedules are not caused by an alert
BEFORE_THE_CALL = ("worker-critical", "worker-high")
# Also those of its fill, which the venue reports without the alert's correlation id; the schedule's are not its own.
JOBS = "SELECT name FROM job WHERE enqueued_at >= to_timestamp(%s) AND schedule IS NULL AND NOT name = ANY(%s)"
GUARDED = "SELECT 1 FROM fill JOIN orders ON orders.id = order_id WHERE guarded_at IS NOT NULL AND correlation_id = %s"
UNFINISHED = "SELECT 1 FROM job WHERE correlation_id = %s AND state IN ('queued', 'running')"


@pytest.fixture
def trips(servers: tuple[str, str]) -> Iterator[DatabaseTrips]:
    with new_database(servers[0], "template1") as url, DatabaseTrips(url) as relayed:
        yield relayed


@pytest.mark.bench
@pytest.mark.timeout(600)
def test_jobs_and_round_trips_of_an_alert(
    stack: Stack, trips: DatabaseTrips, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.env["DATABASE_URL"] = trips.url
    stack.up("--limits", "off")
    url = stack.hook("cost")
    eventually("the account is reconciled", lambda: stack.rows("SELECT 1 FROM account WHERE reconciled_at IS NOT NULL"))
    stack.loosen_rules()
    ((account_id,),) = stack.rows("SELECT id FROM account")
    http = requests.Session()
    jobs: list[Counter[str]] = []
    counts: list[float] = []
    last: list[str] = []
    for _ in range(WARM + ALERTS):
        before = len(list_entry_times(stack, account_id))
        began = time.time()
        answer = http.post(url, json=ALERT | {"stop_loss_ticks": 4000, "take_profit_ticks": 4000}, timeout=30)
        job_id = answer.json()["job_id"]

        def has_ended(job_id: str = job_id) -> bool:
            return bool(stack.rows(GUARDED, job_id)) and not stack.rows(UNFINISHED, job_id)

        eventually("its fill is guarded and its jobs have ended", has_ended)
        called_at: datetime = list_entry_times(stack, account_id)[before]
        found = trips.between(began, called_at.timestamp(), BEFORE_THE_CALL)
        counts.append(len(found))
        last = [f"{trip.program} +{(trip.at - began) * 1000:.1f} ms {' | '.join(trip.texts)[:150]!r}" for trip in found]
        jobs.append(Counter(name for (name,) in stack.rows(JOBS, began, job_names_with("is_probe"))))
        stack.flatten()
    jobs, counts = jobs[WARM:], counts[WARM:]
    totals = [float(one.total()) for one in jobs]
    with capsys.disabled():
        print(f"\n{ALERTS} alerts, one after the other:")
        print(f"  jobs an alert: p50 {percentile(totals, 50):.0f}, most {max(totals):.0f} (target: {MOST_JOBS})")
        print(f"    of the last: {dict(jobs[-1])}")
        middle, most = percentile(counts, 50), max(counts)
        print(f"  round trips before the call: p50 {middle:.0f}, most {most:.0f} (target: {MOST_TRIPS})")
        for line in last:
            print(f"    {line}")
