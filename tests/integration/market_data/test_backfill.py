"""Older bars are fetched a page a job, newest first; what the venue never has stays a gap that is shown."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.bars.backfill import request_backfill
from shared.db.engine import make_engine
from shared.domain.market_data.bar import MINUTE
from shared.domain.market_data.contract import typed_symbol
from shared.gateway.rest.transport import BARS
from shared.ledger.jobs.market_data import BackfillBars, HealBars, RefreshContracts
from shared.ledger.ledger import Transaction
from tests.fixtures.operator import RunCommand
from tests.fixtures.order_sessions import other_gateway
from tests.fixtures.other_gateway import OtherGateway
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from tests.fixtures.worker_processes import process
from workers.runner import Runner
from workers.wiring import open_runner

COMPLETE = f"SELECT coverage @> tstzrange(%s, %s) FROM contract WHERE id = '{MNQ}'"
RESULTS = "SELECT result FROM job WHERE name = 'market_data.backfill_bars' ORDER BY id"
COUNT = f"SELECT count(*) FROM bars WHERE contract = '{MNQ}' AND start < %s"


@pytest.fixture
def newest(worker_env: WorkerEnv) -> datetime:
    """The start of the oldest bar that is stored: four days ago."""
    ((at,),) = worker_env.rows(f"SELECT min(start) FROM bar_minute WHERE contract_id = '{MNQ}'")
    found: datetime = at
    return found


def run_backfill(worker_env: WorkerEnv, since: datetime, until: datetime) -> None:
    worker_env.run(BackfillBars(contract_id=MNQ, since=since, until=until))
    run_now(worker_env)


def run_now(worker_env: WorkerEnv) -> None:
    """Run what is due, and the second passes that wait."""
    worker_env.run_due_jobs()
    worker_env.execute("UPDATE job SET run_at = now() WHERE name = 'market_data.backfill_bars' AND state = 'queued'")
    worker_env.run_due_jobs()


def backfill_through(worker_env: WorkerEnv, gateway: OtherGateway, since: datetime, until: datetime) -> None:
    """Backfill through another gateway, both passes at once."""
    settings = replace(worker_env.settings, venue=replace(worker_env.settings.venue, url=gateway.url))
    queued = "SELECT id FROM job WHERE name = 'market_data.backfill_bars' AND state = 'queued'"
    with open_runner(settings, process("test/2"), program="test2") as other:
        due = [worker_env.enqueue(BackfillBars(contract_id=MNQ, since=since, until=until))]
        while due:
            for job_id in due:
                other.run(job_id)
            worker_env.execute("UPDATE job SET run_at = now() WHERE state = 'queued'")
            due = [job_id for (job_id,) in worker_env.rows(queued)]


def test_pages_are_stored_newest_first_until_all_is_complete(worker_env: WorkerEnv, newest: datetime) -> None:
    since = newest - timedelta(days=25)
    run_backfill(worker_env, since, newest)

    pages = [result["since"] for (result,) in worker_env.rows(RESULTS) if "since" in result]
    assert 3 == len(pages)
    assert sorted(pages, reverse=True) == pages
    assert [(True,)] == worker_env.rows(COMPLETE, since + timedelta(days=3), newest)
    ((count,),) = worker_env.rows(COUNT, newest)
    run_backfill(worker_env, since, newest)
    assert [(count,)] == worker_env.rows(COUNT, newest)


def test_a_second_run_asks_the_venue_for_nothing(worker_env: WorkerEnv, newest: datetime) -> None:
    since = newest - timedelta(days=3)
    run_backfill(worker_env, since, newest)
    before = len(worker_env.venue.requests(BARS))
    run_backfill(worker_env, since, newest)

    assert before == len(worker_env.venue.requests(BARS))


def test_of_64_that_ask_for_the_same_bars_at_once_the_first_asks_the_venue(
    worker_env: WorkerEnv, newest: datetime
) -> None:
    since = newest - timedelta(days=3)
    before = len(worker_env.venue.requests(BARS))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(4, mp_context=context) as pool:
        urls = [(str(worker_env.settings.database_url), since, newest)] * 64
        assert 64 == len(set(pool.map(ask_for_bars, urls)))
    with ExitStack() as stack:
        runners = [
            stack.enter_context(open_runner(worker_env.settings, process(f"test/{n}"), program="test"))
            for n in range(2, 6)
        ]
        with ThreadPoolExecutor(4) as threads:
            assert 64 <= sum(threads.map(run_backfills, [worker_env] * 4, runners))

    assert before + 1 == len(worker_env.venue.requests(BARS))
    assert [(0,)] == worker_env.rows("SELECT count(*) FROM job WHERE error IS NOT NULL")


def ask_for_bars(wanted: tuple[str, datetime, datetime]) -> str:
    """Ask for the bars of a span as a command does; a process of its own runs this."""
    url, since, until = wanted
    engine = make_engine(url, program="test", pool_size=1)
    with engine.begin() as connection:
        asked = request_backfill(Transaction(connection), BackfillBars(contract_id=MNQ, since=since, until=until))
    engine.dispose()
    return str(asked.job_id)


def run_backfills(worker_env: WorkerEnv, runner: Runner) -> int:
    """Run the jobs that are due until there are none; return how many."""
    query = "SELECT id FROM job WHERE state = 'queued' AND run_at <= now() ORDER BY id"
    count = 0
    while due := worker_env.rows(query):
        count += sum(runner.run(job_id).state == "succeeded" for (job_id,) in due)
    return count


def test_what_a_cut_page_lacks_is_asked_once_more(worker_env: WorkerEnv, newest: datetime) -> None:
    since = newest - timedelta(days=8)
    worker_env.venue.faults(path=BARS, kind="short_page", count=1)
    worker_env.run(BackfillBars(contract_id=MNQ, since=since, until=newest))
    assert [(False,)] == worker_env.rows(COMPLETE, since, newest)
    worker_env.execute("UPDATE job SET run_at = now() WHERE name = 'market_data.backfill_bars' AND state = 'queued'")
    worker_env.run_due_jobs()

    assert [(True,)] == worker_env.rows(COMPLETE, since, newest)
    ((count,),) = worker_env.rows(COUNT, newest)
    assert count > 1_000


def test_an_empty_page_is_asked_once_more(worker_env: WorkerEnv, newest: datetime) -> None:
    since = newest - timedelta(days=3)
    job_id = worker_env.enqueue(BackfillBars(contract_id=MNQ, since=since, until=newest))
    with other_gateway(worker_env.venue) as gateway:
        gateway.changes[BARS] = lambda document: document.update(bars=[])
        settings = replace(worker_env.settings, venue=replace(worker_env.settings.venue, url=gateway.url))
        with open_runner(settings, process("test/2"), program="test2") as other:
            other.run(job_id)
    assert [(0,)] == worker_env.rows(COUNT, newest)
    worker_env.execute("UPDATE job SET run_at = now() WHERE name = 'market_data.backfill_bars' AND state = 'queued'")
    worker_env.run_due_jobs()

    assert [(True,)] == worker_env.rows(COMPLETE, since, newest)
    ((count,),) = worker_env.rows(COUNT, newest)
    assert count > 1_000


def test_after_an_empty_page_the_second_pass_asks_for_all_that_is_left(worker_env: WorkerEnv, newest: datetime) -> None:
    since = newest - timedelta(days=25)
    answers = iter([False, True])
    with other_gateway(worker_env.venue) as gateway:
        gateway.changes[BARS] = lambda document: document.update(bars=[]) if next(answers, False) else None
        backfill_through(worker_env, gateway, since, newest)

    assert [(True,)] == worker_env.rows(COMPLETE, since + timedelta(days=3), newest)


def test_one_minute_without_a_trade_is_complete_after_the_second_pass(worker_env: WorkerEnv, newest: datetime) -> None:
    since, quiet = newest - timedelta(days=3), newest - timedelta(minutes=90)
    with other_gateway(worker_env.venue) as gateway:

        def remove(document: dict[str, Any]) -> None:
            document["bars"] = [bar for bar in document["bars"] if bar["t"] != quiet.isoformat()]

        gateway.changes[BARS] = remove
        backfill_through(worker_env, gateway, since, newest)

    assert [] == worker_env.rows("SELECT 1 FROM bars WHERE start = %s AND contract = %s", quiet, MNQ)
    assert [(True,)] == worker_env.rows(COMPLETE, since, newest)


def test_hours_without_a_trade_where_two_pages_meet_are_complete(worker_env: WorkerEnv, newest: datetime) -> None:
    since, meets = newest - timedelta(days=12), newest - timedelta(days=10)
    quiet = [(meets + timedelta(hours=hours)).isoformat() for hours in (-2, 2)]
    with other_gateway(worker_env.venue) as gateway:

        def remove(document: dict[str, Any]) -> None:
            document["bars"] = [bar for bar in document["bars"] if not quiet[0] <= bar["t"] < quiet[1]]

        gateway.changes[BARS] = remove
        backfill_through(worker_env, gateway, since, newest)

    assert [] == worker_env.rows("SELECT 1 FROM bars WHERE start = %s AND contract = %s", meets, MNQ)
    assert [(True,)] == worker_env.rows(COMPLETE, since, newest)


def test_gaps_between_the_first_bar_and_the_days_of_each_fetch_are_healed(
    worker_env: WorkerEnv, newest: datetime
) -> None:
    run_backfill(worker_env, newest - timedelta(days=3), newest)
    hole = newest - timedelta(days=1)
    worker_env.execute(
        f"DELETE FROM bar_minute WHERE start >= '{hole - 9 * MINUTE}' AND start < '{hole}';"
        f" UPDATE contract SET coverage = coverage - tstzmultirange(tstzrange('{hole - 9 * MINUTE}', '{hole}'))"
    )
    assert [(False,)] == worker_env.rows(COMPLETE, hole - 9 * MINUTE, hole)
    worker_env.run(HealBars())

    assert [(True,)] == worker_env.rows(COMPLETE, hole - 9 * MINUTE, hole)


def test_the_end_of_a_contract_that_is_tracked_no_more_is_fetched_and_healed(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    ((newest,),) = worker_env.rows(f"SELECT max(start) FROM bar_minute WHERE contract_id = '{MNQ}'")
    end = newest + MINUTE
    lack_the_end = (
        f"DELETE FROM bar_minute WHERE start >= '{end - 9 * MINUTE}';"
        f" UPDATE contract SET coverage = coverage - tstzmultirange(tstzrange('{end - 9 * MINUTE}', NULL))"
    )

    def list_gaps() -> list[str]:
        gaps = operator("bars", "gaps", "MNQ", "--json").json["gaps"]
        return [gap["start"] for gap in gaps if gap["start"] <= newest.isoformat()]

    worker_env.execute(lack_the_end)
    without_mnq = replace(worker_env.settings, contracts=("MES",))
    job_id = worker_env.enqueue(RefreshContracts())
    with open_runner(without_mnq, process("test/2"), program="test2") as other:
        other.run(job_id)
    worker_env.execute("UPDATE contract SET is_active = false")
    assert [(end - 9 * MINUTE).isoformat()] == list_gaps()
    run_now(worker_env)
    assert [(True,)] == worker_env.rows(COMPLETE, end - 9 * MINUTE, end)
    assert [] == list_gaps()

    worker_env.execute(lack_the_end)
    worker_env.run(HealBars())
    assert [(True,)] == worker_env.rows(COMPLETE, end - 9 * MINUTE, end)


def test_a_person_sees_the_gaps_and_fetches_them(worker_env: WorkerEnv, operator: RunCommand, newest: datetime) -> None:
    hole = newest + timedelta(hours=2)
    worker_env.execute(
        f"UPDATE contract SET coverage = coverage - tstzmultirange(tstzrange('{hole}', '{hole + 9 * MINUTE}'))"
    )
    gaps = operator("bars", "gaps", "MNQ", "--days", "5", "--json").json["gaps"]
    assert [(hole.isoformat(), 9, "missing")] == [(row["start"], row["minutes"], row["state"]) for row in gaps][-1:]
    assert "missing" in operator("bars", "gaps").words
    shown = operator("bars", "backfill", "MNQ", "--days", "5")
    assert "minutes are complete." in shown.out
    ((row,),) = (operator("bars", "backfill", "MNQ", "--days", "5", "--json").json["contracts"],)
    assert row["minutes"] == row["complete_before"] == row["complete"] > 4_000
    searched = operator("bars", "gaps", "MNQ", "--days", "5", "--json").json
    (lived,) = searched["contracts"]
    assert ([], True) == (searched["gaps"], lived["since"] < newest.isoformat() < lived["until"])
    assert "No gaps: every minute is complete.\n" == operator("bars", "gaps", "MNQ", "--days", "1").out
    first = operator("bars", "list", "MNQ", "--json").json["coverage"][0]["first"]
    assert (
        f"No gaps: every minute is complete from the first bar on, {first[:10]} {first[11:16]} UTC.\n"
        == operator("bars", "gaps", "MNQ", "--days", "3650").out
    )
    assert operator("bars", "MNQ", "--limit", "1", "--json").json["bars"]
    assert "did you mean gaps?" in operator("bars", "gap").words
    assert (
        f"no contract of MNQZ25 is known: expected {typed_symbol(MNQ)}; `tickwork bars import FILE --contract MNQZ25` "
        "adds the bars of a month that has expired" in operator("bars", "backfill", "MNQZ25").error
    )
    worker_env.execute(
        f"DELETE FROM bar_minute WHERE start = '{hole}'; INSERT INTO rejected_bar (contract_id, record, start, reason)"
        f" VALUES ('{MNQ}', '{{}}', '{hole}', 'no bar')"
    )
    shown = operator("bars", "backfill", "MNQ", "--days", "5")
    assert "minutes are complete; of 1 the venue sent what cannot be a bar: `tickwork bars list`." in shown.out
    (lacking,) = operator("bars", "backfill", "MNQ", "--days", "5", "--json").json["contracts"]
    assert lacking["minutes"] - 1 == lacking["complete_before"] == lacking["complete"]
    worker_env.execute("DELETE FROM bar_minute")
    assert (
        "No bars of MNQ are stored: `tickwork bars backfill MNQ` fetches them." in operator("bars", "gaps", "MNQ").out
    )
