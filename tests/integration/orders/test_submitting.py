"""Between the commit that makes an order SUBMITTING and the call: who sees it, who may still send it, until when."""

import os
import sys
from datetime import timedelta
from threading import Thread, Timer
from types import FrameType
from uuid import UUID

import psycopg

from shared.domain.order import OrderState
from shared.ledger import rows
from tests.fixtures.desk import Desk
from tests.fixtures.entries import ENTRY, PLACE, believe_absence, tags_at_venue
from tests.fixtures.processes import until
from workers.build import open_runner
from workers.orders import submit


def test_an_order_is_submitting_for_all_to_see_before_the_venue_hears_of_it(desk: Desk) -> None:
    desk.venue.faults(path=PLACE, kind="delay_before", seconds=1)
    handled, seen = desk.alert(), list[tuple[str, str]]()

    def look() -> None:
        until(lambda: bool(tags_at_venue(desk)), 10, "the venue's hearing of it")
        seen.extend((row[0], row[2]) for row in desk.rows(ENTRY))

    looks = Thread(target=look)
    looks.start()
    desk.runner.run(handled)
    looks.join()

    assert [(OrderState.SUBMITTING, tags_at_venue(desk)[0])] == seen
    assert "succeeded" == desk.job(handled)[0]


def test_a_process_killed_between_the_commit_and_the_call_leaves_an_order_that_is_looked_for_first(desk: Desk) -> None:
    handled = desk.alert()
    process = os.fork()
    if process == 0:
        _send_and_die(desk, handled)
    os.waitpid(process, 0)
    assert [OrderState.SUBMITTING] == [row[0] for row in desk.rows(ENTRY)]
    assert [] == tags_at_venue(desk)
    ((place,),) = desk.rows("SELECT id FROM job WHERE name = 'orders.place_order' AND state = 'running'")
    assert 1 == rows.give_back(desk.ledger.line.open(), "dying/1", "its process is gone")
    desk.runner.run(place)

    assert [] == tags_at_venue(desk)
    believe_absence(desk)
    desk.work()
    assert [OrderState.FILLED] == [row[0] for row in desk.rows(ENTRY)]
    assert 1 == len(tags_at_venue(desk))


def _send_and_die(desk: Desk, job_id: UUID) -> None:
    """Run the job in this process, which is forked, until it begins to call the venue for an order; end there."""

    def look(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code is submit.send.__code__:
            os._exit(os.EX_OK)

    try:
        with open_runner(desk.settings, "dying/1", program="test") as runner:
            sys.setprofile(look)
            runner.run(job_id)
    finally:
        os._exit(os.EX_SOFTWARE)


def test_an_entry_whose_time_ran_out_while_it_waited_for_the_account_is_not_sent(desk: Desk) -> None:
    handled = desk.alert()
    desk.execute(f"UPDATE job SET expires_at = now() + interval '2 seconds' WHERE id = '{handled}'")
    with psycopg.connect(desk.settings.database_url) as holding:
        holding.execute("SELECT 1 FROM account FOR UPDATE")
        lets_go = Timer(3, holding.rollback)  # before the quote is stale
        lets_go.start()
        desk.runner.run(handled)
        lets_go.join()

    assert [OrderState.EXPIRED] == [row[0] for row in desk.rows(ENTRY)]
    assert [] == tags_at_venue(desk)


def test_no_entry_is_sent_after_the_last_entry_of_the_day_however_long_the_alert_is_worth_it(desk: Desk) -> None:
    """At 15:07:30 in Chicago, half a minute before nothing new may be entered."""
    desk.execute(
        "UPDATE market_clock SET machine_origin_at = now(), market_origin_at = '2026-03-10 20:07:30+00', speed = 1"
    )
    handled = desk.alert()
    with open_runner(desk.settings, "late/1", program="test") as late:
        late.run(handled)

    ((left,),) = desk.rows("SELECT expires_at - intended_at FROM orders WHERE role = 'ENTRY'")
    assert timedelta(seconds=20) < left < timedelta(seconds=30)


def test_without_a_login_at_hand_the_order_waits_for_one_before_it_is_submitting(desk: Desk) -> None:
    logins = len(desk.venue.requests("/api/Auth/loginKey"))
    desk.redis.delete(*desk.redis.keys("*token*"))
    desk.alert()
    desk.work()

    assert logins + 1 == len(desk.venue.requests("/api/Auth/loginKey"))
    assert [OrderState.FILLED] == [row[0] for row in desk.rows(ENTRY)]
