"""A feed whose Redis is emptied while it runs: everything that it writes comes again."""

from shared.clock import machine_now
from shared.domain.orders.order import Direction
from shared.hot.feed_health import read_feed_health
from tests.fixtures.feeds import Feeds
from tests.fixtures.processes import until


def test_lease_health_quotes_and_positions_come_again_after_a_wipe(feeds: Feeds) -> None:
    feeds.start()
    feeds.wait_until_fed()
    feeds.worker_env.venue.place()
    feeds.wait_for_position(Direction.LONG)
    connection_count = feeds.health().user.connection_count
    wiped_at = machine_now()
    feeds.hot.flushdb()

    assert {} == feeds.hot_positions()
    feeds.wait_for_position(Direction.LONG)
    until(lambda: feeds.has_quote_since(wiped_at), 60, "a quote")
    until(lambda: read_feed_health(feeds.hot) is not None, 60, "the health")
    assert connection_count == feeds.health().user.connection_count
    assert list(feeds.hot.keys("tickwork:feed_lease:*"))
