"""Requests evaluations when a bar has closed; the idempotency key makes a second request a duplicate."""

import logging
from datetime import datetime

from shared.config import Settings
from shared.db.strategies import strategy_accounts
from shared.domain.market_data.calendar import assumed_calendar_of
from shared.domain.market_data.contract import ROOTS, Contract
from shared.domain.market_data.rollup import newest_close
from shared.domain.market_data.timeframe import Timeframe
from shared.domain.strategies.strategy_error import StrategyError
from shared.ledger.jobs.strategies import EvaluateStrategy
from shared.ledger.ledger import Transaction
from strategies.registry import TRADED, strategy_named

log = logging.getLogger(__name__)


def request_evaluations(tx: Transaction, settings: Settings, contract: Contract, known_until: datetime) -> int:
    """Enqueue, per traded strategy, the evaluations of its newest bar that closed by `known_until`; return how many.

    At the real venue strategies are not evaluated yet: nothing is enqueued.
    Each account that trades the strategy gets an evaluation of its own, so that none waits for another. Without an
    account, one evaluation shows the decision that the strategy would make.
    """
    count, calendar = 0, assumed_calendar_of(ROOTS[contract.root].group)
    for name in TRADED if settings.venue.is_simulator else ():
        try:
            timeframe = Timeframe.parse(strategy_named(name)().timeframe)
        except (KeyError, StrategyError) as error:  # the bars of this transaction are stored all the same
            log.warning("strategy %s is not evaluated: %s", name, error)
            continue
        closed_until = newest_close(known_until, timeframe, calendar)
        trading: list[int | None] = [one.id for one in strategy_accounts.list_trading(tx.connection, name)]
        for account_id in trading or [None]:
            enqueued = tx.enqueue(
                EvaluateStrategy(
                    strategy=name, contract_id=contract.id, closed_until=closed_until, account_id=account_id
                ),
                key=f"evaluate:{name}:{account_id}:{contract.id}:{closed_until.isoformat()}",
            )
            count += not enqueued.is_duplicate
    return count
