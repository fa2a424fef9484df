"""Asks for evaluations when a bar has closed; the key makes a second asking ask for nothing."""

from datetime import UTC, datetime, timedelta

from shared.config import Settings
from shared.domain.contract import Contract
from shared.ledger.jobs.strategies import EvaluateStrategy
from shared.ledger.ledger import Transaction
from strategies.registry import STRATEGIES

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def ask_for_evaluations(tx: Transaction, settings: Settings, contract: Contract, known_until: datetime) -> int:
    """Enqueue, per enabled strategy, the evaluation of its newest bar that closed by `known_until`; return how many."""
    asked = 0
    for strategy in STRATEGIES:
        if not settings.venue.is_simulator or not strategy.is_enabled_on_simulator:
            continue
        closed_until = newest_close(known_until, strategy.timeframe)
        enqueued = tx.enqueue(
            EvaluateStrategy(strategy=strategy.name, contract_id=contract.id, closed_until=closed_until),
            key=f"evaluate:{strategy.name}:{contract.id}:{closed_until.isoformat()}",
        )
        asked += not enqueued.is_duplicate
    return asked


def newest_close(known_until: datetime, timeframe: timedelta) -> datetime:
    """Return the newest end of a bar of `timeframe` that is not after `known_until`; sessions open on whole hours."""
    return _EPOCH + (known_until - _EPOCH) // timeframe * timeframe
