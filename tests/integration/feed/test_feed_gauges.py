"""The feed's gauges: the age of prices and the request budgets, which neither Postgres nor Redis may hold up."""

from shared.fleets import Queue
from shared.hot.rate_limit import RedisLimiter
from tests.fixtures.feeds import Feeds
from tests.fixtures.ledger_env import without_database
from tests.fixtures.processes import until
from tests.fixtures.venue import MNQ

FAST = {"workers.feed.gauges:STORE_EVERY_S": 0.5}
STORED = "SELECT source, sum(count)::int, min(min), max(max) FROM gauge_rollup WHERE kind = %s GROUP BY 1 ORDER BY 1"


def count_ages(feeds: Feeds) -> int:
    return sum(row[1] for row in feeds.worker_env.rows(STORED, "feed"))


def wait_for_more(feeds: Feeds) -> None:
    before = count_ages(feeds)
    until(lambda: count_ages(feeds) > before, 60, "another age")


def test_the_age_of_the_prices_is_stored_by_contract(feeds: Feeds) -> None:
    feeds.start(FAST)
    feeds.wait_until_fed()
    wait_for_more(feeds)
    found = {row[0]: row for row in feeds.worker_env.rows(STORED, "feed")}

    assert found.keys() <= feeds.health().contracts.keys()
    assert 0 <= found[MNQ][2] <= found[MNQ][3]
    assert [] == feeds.worker_env.rows(STORED, "budget")  # limits are off


def test_a_hub_that_is_lost_shows_by_the_age_of_the_prices(feeds: Feeds) -> None:
    feeds.start(FAST)
    feeds.wait_until_fed()
    wait_for_more(feeds)
    feeds.fault("hub_gap", count=2, seconds=600)

    until(lambda: max(row[3] for row in feeds.worker_env.rows(STORED, "feed")) > 3000, 60, "an age of 3 s")


def test_the_request_budgets_are_stored_where_requests_are_limited(feeds: Feeds) -> None:
    limiter = RedisLimiter(feeds.hot, feeds.worker_env.settings.venue)
    with limiter.count_request("bars", Queue.HIGH):
        feeds.start(FAST, TICKWORK_LIMITS="on")
        until(lambda: feeds.worker_env.rows(STORED, "budget") != [], 60, "the budgets")

    found = {row[0]: row[2:] for row in feeds.worker_env.rows(STORED, "budget")}
    assert {"bars", "other"} == set(found)
    assert all(0 < least <= most <= 100 for least, most in found.values())
    assert found["bars"][0] < 100


def test_while_postgres_is_away_figures_are_lost_and_the_feed_goes_on(feeds: Feeds) -> None:
    feed = feeds.start(FAST)
    feeds.wait_until_fed()
    wait_for_more(feeds)
    before = feeds.health().reported_at
    with without_database(feeds.worker_env.settings.require_database()):
        until(lambda: "figures of the feed are lost" in feed.log.read_text(), 60, "the loss of figures")
        until(lambda: feeds.health().reported_at > before, 60, "another report")
    wait_for_more(feeds)

    assert feed.is_alive()
    assert 1 == feed.log.read_text().count("figures of the feed are lost")
