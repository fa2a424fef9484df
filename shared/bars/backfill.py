"""Asks for older bars by jobs: of a contract one at a time, so that no page of the venue is asked for twice."""

from typing import Unpack

from shared.ledger.enqueue import Enqueued, EnqueueOptions
from shared.ledger.jobs.market_data import BackfillBars
from shared.ledger.ledger import Transaction


def request_backfill(tx: Transaction, request: BackfillBars, **options: Unpack[EnqueueOptions]) -> Enqueued:
    """Enqueue a backfill behind those of the same contract and pass; it asks only for what they have left.

    However many processes ask for the same bars at once, each page is fetched by the first of them.
    """
    options["sequence_key"] = f"backfill:{request.contract_id}:{'second' if request.is_second else 'first'}"
    return tx.enqueue(request, **options)
