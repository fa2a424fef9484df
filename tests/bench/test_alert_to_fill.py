"""The time from an alert to its fill and its proven stop, against the bare venue call in the same run."""

import statistics
import time
from pathlib import Path

import pytest
import requests

from tests.fixtures.figures import percentile
from tests.fixtures.stack import ALERT, Stack, eventually

ALERTS = 200
ALONE = 20  # alerts, each sent when the fill before is guarded: what an idle computer does
PROVEN_WITHIN_MS = 2000
UNGUARDED = "SELECT 1 FROM fill WHERE guarded_at IS NULL"


@pytest.mark.bench
@pytest.mark.timeout(600)
def test_alert_to_fill(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.up("--limits", "off")
    url = stack.hook("bench")
    eventually(
        "the account is reconciled and bars are stored",
        lambda: stack.rows("SELECT 1 FROM account, bar_minute WHERE reconciled_at IS NOT NULL LIMIT 1"),
    )
    stack.loosen_rules()
    http = requests.Session()
    for number in range(ALONE):
        assert "succeeded" == stack.wait_for_end(post(http, url, number))
        eventually("its fill is guarded", lambda: not stack.rows(UNGUARDED) and stack.rows("SELECT 1 FROM fill"))
    alone = [float(row[0]) for row in stack.rows(_TO_PROVEN_STOP)]
    ((loaded_from,),) = stack.rows("SELECT clock_timestamp()")
    answered = []
    jobs = []
    for number in range(ALERTS):
        started = time.perf_counter()
        jobs.append(post(http, url, number))
        answered.append((time.perf_counter() - started) * 1000)
        time.sleep(0.05)
    for job in jobs:
        assert "succeeded" == stack.wait_for_end(job)
    eventually(
        "every fill is recorded here",
        lambda: [(ALERTS,)] == stack.rows(f"SELECT count(*) {_STORY} AND filled.state = 'succeeded'", loaded_from),
    )
    to_accepted = [float(row[0]) for row in stack.rows(_TO_ACCEPTED, loaded_from)]
    at_venue = [float(row[0]) for row in stack.rows(_TO_FILL_AT_VENUE, loaded_from)]
    to_fill = [float(row[0]) for row in stack.rows(_TO_FILL, loaded_from)]
    eventually("every fill is guarded", lambda: not stack.rows(UNGUARDED))
    guarded = [float(row[0]) for row in stack.rows(f"{_TO_PROVEN_STOP} WHERE recorded_at > %s", loaded_from)]
    control = [float(row[0]) for row in stack.rows(_CONTROL)]
    with capsys.disabled():
        print(f"\n{ALERTS} alerts, 20 a second, seeded simulator, {Path(__file__).name}")
        report("POST to 202", answered)
        report("alert stored to order accepted by the venue", to_accepted)
        report("alert stored to fill at the venue", at_venue)
        report("alert stored to fill recorded here", to_fill)
        report("fill recorded here to its stop proven", guarded)
        report("the same, one alert after the other", alone)
        report("control: the venue's own Order/place call", control)
        ratio = statistics.median(at_venue) / statistics.median(control)
        print(f"{'alert to fill at the venue, p50, against the control':50} {ratio:8.1f} x")
    assert max(alone) < PROVEN_WITHIN_MS


def post(http: requests.Session, url: str, number: int) -> str:
    """Post one alert and return its job; sides take turns, so that the position stays near flat."""
    side = "buy" if number % 2 == 0 else "sell"
    answer = http.post(url, json=ALERT | {"action": side, "stop_loss_ticks": 4000, "take_profit_ticks": 4000})
    assert 202 == answer.status_code, answer.text
    return str(answer.json()["job_id"])


def report(name: str, values: list[float]) -> None:
    print(f"{name:50} p50 {percentile(values, 50):7.1f} ms   p99 {percentile(values, 99):7.1f} ms   n {len(values)}")


_STORY = """
    FROM job asked
    JOIN orders entry ON entry.correlation_id = asked.correlation_id AND entry.role = 'ENTRY'
    JOIN job placed ON placed.correlation_id = asked.correlation_id AND placed.name = 'orders.place_order'
    JOIN job filled ON filled.correlation_id = asked.correlation_id AND filled.name = 'orders.poll_fills'
    WHERE asked.name = 'alerts.handle_alert' AND asked.enqueued_at > %s
"""
_TO_FILL_AT_VENUE = f"""
    SELECT 1000 * extract(
        epoch FROM machine_origin_at + (filled_market_at - market_origin_at) / speed - asked.enqueued_at)
    {_STORY.replace("WHERE", "CROSS JOIN market_clock WHERE")}
"""
_TO_FILL = f"SELECT extract(epoch FROM filled.finished_at - asked.enqueued_at) * 1000 {_STORY}"
_TO_ACCEPTED = f"SELECT extract(epoch FROM placed.finished_at - asked.enqueued_at) * 1000 {_STORY}"
_TO_PROVEN_STOP = "SELECT extract(epoch FROM guarded_at - recorded_at) * 1000 FROM fill"
_CONTROL = "SELECT duration_ms FROM api_call WHERE endpoint = '/api/Order/place'"
