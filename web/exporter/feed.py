"""The gauges of the feed: how old the prices of the tracked contracts are, by its last report in Redis."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from math import inf

from prometheus_client.core import GaugeMetricFamily, Metric

from shared.domain.market_data.calendar import assumed_calendar_of
from shared.domain.market_data.contract import ROOTS, Contract
from shared.hot.feed_health import FeedHealth


def build_feed(
    health: FeedHealth | None, contracts: Sequence[Contract], *, machine_now: datetime, market_now: datetime
) -> Iterator[Metric]:
    """Yield the metrics of the feed; without a report, also while Redis does not answer, every age is +Inf."""
    age = inf if health is None else (machine_now - health.reported_at).total_seconds()
    name, about = "tickwork_feed_report_age_seconds", "Time since the feed's last report; +Inf: none in Redis."
    yield GaugeMetricFamily(name, about, value=age)
    hubs = GaugeMetricFamily("tickwork_feed_hub_subscribed", "1: the venue's hub sends to us.", labels=["hub"])
    found = () if health is None else (("market", health.market), ("user", health.user))
    for hub, one in found:
        hubs.add_metric([hub], one.is_subscribed)
    yield hubs
    prices = GaugeMetricFamily(
        "tickwork_feed_price_age_seconds",
        "Time since the last quote or trade of a tracked contract; +Inf: none known.",
        labels=["contract"],
    )
    sessions = GaugeMetricFamily(
        "tickwork_contract_in_session", "1: the market of a tracked contract is open.", labels=["contract"]
    )
    for contract in contracts:
        known = None if health is None else health.contracts.get(contract.id)
        silent_s = None if known is None else known.silent_s
        prices.add_metric([contract.name], inf if silent_s is None else silent_s + age)
        sessions.add_metric([contract.name], assumed_calendar_of(ROOTS[contract.root].group).is_open(market_now))
    yield from (prices, sessions)
