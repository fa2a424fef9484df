"""The time from an alert to its fill at the simulator, against the bare venue call in the same run."""

import statistics
import time
from pathlib import Path

import pytest
import requests

from tests.fixtures.figures import percentile
from tests.fixtures.stack import ALERT, Stack, eventually

ALERTS = 200
PROVEN_WITHIN_MS = 2000


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
    answered = []
    jobs = []
    for number in range(ALERTS):
        side = "buy" if number % 2 == 0 else "sell"  # so that the position stays near flat
        started = time.perf_counter()
        answer = http.post(url, json=ALERT | {"action": side, "stop_loss_ticks": 4000, "take_profit_ticks": 4000})
        answered.append((time.perf_counter() - started) * 1000)
        assert 202 == answer.status_code, answer.text
        jobs.append(answer.json()["job_id"])
        time.sleep(0.05)
    for job in jobs:
        assert "succeeded" == stack.wait_for_end(job)
    eventually(
        "every fill is recorded here",
        lambda: [(ALERTS,)] == stack.rows(f"SELECT count(*) {_STORY} AND filled.state = 'succeeded'"),
    )
    at_venue = [float(row[0]) for row in stack.rows(_TO_FILL_AT_VENUE)]
    to_fill = [float(row[0]) for row in stack.rows(_TO_FILL)]
    eventually("every fill is guarded", lambda: not stack.rows("SELECT 1 FROM fill WHERE guarded_at IS NULL"))
    guarded = [float(row[0]) for row in stack.rows(_TO_PROVEN_STOP)]
    control = [float(row[0]) for row in stack.rows(_CONTROL)]
    with capsys.disabled():
        print(f"\n{ALERTS} alerts, 20 a second, seeded simulator, {Path(__file__).name}")
        report("POST to 202", answered)
        report("alert stored to order accepted by the venue", [float(row[0]) for row in stack.rows(_TO_ACCEPTED)])
        report("alert stored to fill at the venue", at_venue)
        report("alert stored to fill recorded here", to_fill)
        report("fill recorded here to its stop proven", guarded)
        report("control: the venue's own Order/place call", control)
        ratio = statistics.median(at_venue) / statistics.median(control)
        print(f"{'alert to fill at the venue, p50, against the control':50} {ratio:8.1f} x")
    assert max(guarded) < PROVEN_WITHIN_MS


def report(name: str, values: list[float]) -> None:
    print(f"{name:50} p50 {percentile(values, 50):7.1f} ms   p99 {percentile(values, 99):7.1f} ms   n {len(values)}")


_STORY = """
    FROM job asked
    JOIN orders entry ON entry.correlation_id = asked.correlation_id AND entry.role = 'ENTRY'
    JOIN job placed ON placed.correlation_id = asked.correlation_id AND placed.name = 'orders.place_order'
    JOIN job filled ON filled.correlation_id = asked.correlation_id AND filled.name = 'orders.poll_fills'
    WHERE asked.name = 'alerts.handle_alert'
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
