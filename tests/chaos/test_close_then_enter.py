"""A close, and milliseconds later an entry on another connection: the new position stays, with its stop."""

import random
import threading
import time
from functools import partial

import pytest
import requests

from tests.fixtures.chaos_form import IS_LONG, RECONCILED
from tests.fixtures.stack import ALERT, Stack, eventually

ROUNDS = 50 if IS_LONG else 4
GAP_S = (0.001, 0.004)
ENTRY = ALERT | {"stop_loss_ticks": 2000, "take_profit_ticks": 2000}  # far: no leg fills meanwhile
WORKING_STOPS = "SELECT quantity FROM orders WHERE role = 'STOP_LOSS' AND state = 'WORKING'"
BUSY = (
    "SELECT 1 FROM job WHERE state IN ('queued', 'running')"
    " AND name IN ('alerts.handle_alert', 'orders.place_order', 'orders.flatten') LIMIT 1"
)
HELD = "SELECT coalesce(sum(CASE direction WHEN 'SHORT' THEN -quantity ELSE quantity END), 0)::integer FROM position"


@pytest.mark.chaos
def test_an_entry_right_after_a_close_is_not_closed_with_it(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.up()
    eventually("the account is reconciled", lambda: stack.rows(RECONCILED))
    stack.loosen_rules()
    url, rng, waits, ordered = stack.hook(), random.Random(18), list[float](), 0
    for number in range(ROUNDS):
        post(requests.Session(), url, ENTRY | {"action": "sell"})
        eventually("one is short", lambda: is_held(stack, -1), explain=lambda: describe(stack))
        began = time.monotonic()
        is_in_order = close_and_enter(stack, url, rng.uniform(*GAP_S))
        wanted = 1 if is_in_order else 0  # the other way round the close is meant to close the entry too
        ordered += is_in_order
        eventually(f"{wanted} is held", partial(is_held, stack, wanted), explain=lambda: describe(stack))
        waits.append(time.monotonic() - began)
        post(requests.Session(), url, {"action": "close", "symbol": "MNQ", "note": f"end {number}"})
        eventually("it is flat", lambda: is_held(stack, 0), explain=lambda: describe(stack))
    assert ordered
    with capsys.disabled():
        print(f"\n{ordered} of {ordered} entries stayed; the longest wait was {max(waits):.1f} s")


def close_and_enter(stack: Stack, url: str, gap_s: float) -> bool:
    """Send a close and an entry on two open connections; return whether the close came first."""
    first, second = requests.Session(), requests.Session()
    for session in (first, second):
        session.get(f"{url.partition('/hooks')[0]}/live", timeout=60)
    close = threading.Thread(target=post, args=(first, url, {"action": "close", "symbol": "MNQ"}))
    close.start()
    time.sleep(gap_s)
    post(second, url, ENTRY)
    close.join()
    ((action,),) = stack.rows("SELECT action FROM alert ORDER BY id DESC LIMIT 1")
    return bool(action == "BUY")


def post(session: requests.Session, url: str, alert: dict[str, object]) -> None:
    """Send an alert, which must be accepted."""
    answer = session.post(url, json=alert, timeout=60)
    assert answer.status_code == requests.codes.accepted, answer.text


def is_held(stack: Stack, quantity: int) -> bool:
    """Whether so much is held, covered by stops, and no order is on its way."""
    busy = stack.rows(BUSY)
    stops = [row[0] for row in stack.rows(WORKING_STOPS)]
    return not busy and stack.rows(HELD) == [(quantity,)] and sum(stops) == abs(quantity)


def describe(stack: Stack) -> object:
    """Return what the alerts' jobs have ended with."""
    return stack.rows("SELECT name, state, error FROM job WHERE name ~ '^alerts' ORDER BY id DESC LIMIT 4")
