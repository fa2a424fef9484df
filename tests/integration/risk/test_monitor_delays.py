"""The delays of the risk monitor's runs, as gauges: stored by the active one, and never in the way of the watch."""

import psycopg

from tests.fixtures.monitors import Monitors
from tests.fixtures.processes import until

FAST = {"workers.risk.delay_gauge:PAUSE_S": 0.5}
COUNT = "SELECT coalesce(sum(count), 0)::int FROM gauge_rollup WHERE kind = 'monitor' AND span = 'minute'"


def count_stored(monitors: Monitors) -> int:
    found: int = monitors.worker_env.rows(COUNT)[0][0]
    return found


def wait_for_more(monitors: Monitors) -> None:
    before = count_stored(monitors)
    until(lambda: count_stored(monitors) > before, what="another delay")


def test_the_delay_of_each_run_is_stored_once_by_the_active_monitor(monitors: Monitors) -> None:
    first = monitors.start(FAST)
    monitors.wait_until_active(first)
    monitors.start(FAST)  # stands by
    wait_for_more(monitors)
    wait_for_more(monitors)

    ((name, source),) = monitors.worker_env.rows(
        "SELECT DISTINCT name, source FROM gauge_rollup WHERE kind = 'monitor'"
    )
    assert ("round_delay_ms", "risk-monitor") == (name, source)
    ((runs, least),) = monitors.worker_env.rows(
        "SELECT extract(epoch FROM clock_timestamp() - active_since_at), (SELECT min(min) FROM gauge_rollup)"
        " FROM risk_monitor"
    )
    assert count_stored(monitors) <= runs + 1
    assert 0 <= least


def test_a_monitor_that_froze_shows_by_its_longest_delay(monitors: Monitors) -> None:
    program = monitors.start(FAST)
    monitors.wait_until_active(program)
    program.freeze()
    until(lambda: monitors.list_sessions_with_lease() == [], what="the end of its session")
    program.resume()

    longest = "SELECT coalesce(max(max), 0) FROM gauge_rollup WHERE kind = 'monitor'"
    until(lambda: monitors.worker_env.rows(longest)[0][0] > 1000, what="a delay of more than a second")


def test_locked_gauges_keep_the_watch_from_nothing(monitors: Monitors) -> None:
    program = monitors.start(FAST)
    monitors.wait_until_active(program)
    with psycopg.connect(monitors.worker_env.settings.require_database()) as session:
        session.execute("LOCK TABLE gauge_rollup IN ACCESS EXCLUSIVE MODE")
        until(lambda: "are not in the metrics" in program.log.read_text(), what="a sum that is lost")
        monitors.wait_for_next_run()
    wait_for_more(monitors)

    assert program.is_alive()
    assert "a run of the watch failed" not in program.log.read_text()
