"""The feed's gauges: the age of prices, each second, and what is left of the request budgets, every tenth time."""

import asyncio
import itertools
import logging
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Engine

from shared.clock import machine_now, monotonic
from shared.db.metrics import gauges
from shared.domain.metrics.gauge_sums import Gauge, GaugeSum, GaugeSums
from shared.hot.feed_health import ContractHealth
from shared.hot.request_budgets import RequestBudgets
from workers.feed.price_ages import PriceAges

log = logging.getLogger(__name__)

STORE_EVERY_S: Final = 1.0  # a kill loses what was read since then
_BUDGETS_EVERY: Final = 10  # times


class FeedGauges:
    """Reads in memory, and stores in a thread: neither Postgres nor Redis keeps the feed waiting."""

    def __init__(self, engine: Engine, budgets: RequestBudgets | None) -> None:
        """Without `budgets` requests are not limited."""
        self._engine = engine
        self._budgets = budgets
        self._ages = PriceAges()
        self._sums = GaugeSums()
        self._has_failed = False

    def observe(self, contracts: Mapping[str, ContractHealth]) -> None:
        """Read the age of the prices of each contract whose market is open."""
        at = machine_now()
        for contract_id, age_ms in self._ages.observe(contracts, monotonic()).items():
            self._sums.add(Gauge("feed", contract_id, "price_age_ms"), age_ms, at)

    async def run(self) -> None:
        """Store what was read until cancelled; while Postgres does not answer, it is lost."""
        for number in itertools.count():
            await asyncio.sleep(STORE_EVERY_S)
            if self._budgets is not None and number % _BUDGETS_EVERY == 0:
                at = machine_now()
                for budget, left_percent in (await self._budgets.read_left()).items():
                    self._sums.add(Gauge("budget", budget, "left_percent"), left_percent, at)
            try:
                await asyncio.to_thread(self._store, self._sums.take())
            except Exception as error:  # noqa: BLE001  # a figure must not end the feed
                if not self._has_failed:
                    log.warning("figures of the feed are lost until Postgres takes them: %s", type(error).__name__)
                self._has_failed = True
            else:
                self._has_failed = False

    def _store(self, sums: Sequence[GaugeSum]) -> None:
        with self._engine.begin() as connection:
            gauges.store(connection, sums)
