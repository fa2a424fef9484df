"""Batches of alerts as the receiver commits them: new ones in one statement, in the order of their receipt."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest
from sqlalchemy import create_engine

from shared.clock import machine_now
from shared.db.alerts import hooks
from shared.db.alerts.hooks import Hook
from shared.db.engine import make_async_engine
from shared.ledger.async_ledger import AsyncLedger
from shared.ledger.publisher import open_async_publisher
from tests.fixtures.broker import Broker
from tests.fixtures.receiver_process import ENTRY, ReceiverProcess
from tests.fixtures.venue import MNQ
from web.receiver.alert_committer import AlertCommitter
from web.receiver.check import check_body
from web.receiver.incoming import Accepted, Incoming, Outcome, new_incoming

pytest_plugins = ("tests.fixtures.receiver",)

CLOSE: Mapping[str, object] = {"action": "close", "symbol": "MNQ", "time": "1"}


class Committer:
    """Commits batches to the database of a receiver, as one of its own would."""

    def __init__(self, receiver: ReceiverProcess, broker_url: str) -> None:
        self.receiver = receiver
        self._broker_url = broker_url
        engine = create_engine(receiver.database_url.replace("postgresql:", "postgresql+psycopg:"))
        with engine.connect() as connection:
            self._hook: Hook = hooks.hook_of(connection.execute(hooks.select_all()).all()[0])
        engine.dispose()

    def incoming(self, body: Mapping[str, object]) -> Incoming:
        raw = json.dumps(body).encode()
        return new_incoming(self._hook, raw, check_body(raw, self._hook.settings, machine_now(), ()), None)

    def commit(self, batch: Sequence[Incoming]) -> list[Outcome]:
        async def run() -> list[Outcome]:
            engine = make_async_engine(self.receiver.database_url, program="test")
            ledger = AsyncLedger(engine, open_async_publisher(self._broker_url))
            committer = AlertCommitter(ledger, timedelta(seconds=90))
            try:
                return await committer.commit([committer.prepare(one) for one in batch])
            finally:
                await committer.close()
                await ledger.close()

        return asyncio.run(run())

    def commits_of(self, batch: Sequence[Incoming]) -> list[object]:
        """Return when the job of each alert was committed; one transaction has one time."""
        rows = dict(self.receiver.rows("SELECT id, enqueued_at FROM job"))
        return [rows.get(one.job_id) for one in batch]


@pytest.fixture
def committer(receiver: ReceiverProcess, common_broker: Broker) -> Committer:
    return Committer(receiver, common_broker.url)


def test_an_exit_with_a_known_key_is_committed_with_the_alerts_after_it(committer: Committer) -> None:
    """Else the job of the entry could run before that of the close, and the close would then close the entry."""
    committer.commit([committer.incoming(CLOSE)])
    committer.receiver.age_alerts(2)  # so the same body is another alert
    batch = [committer.incoming(CLOSE), committer.incoming({**ENTRY, "id": "after"})]
    outcomes = committer.commit(batch)

    assert [Accepted(one.job_id) for one in batch] == outcomes
    close_at, entry_at = committer.commits_of(batch)
    assert close_at == entry_at is not None


def test_two_exits_with_one_key_in_a_batch_are_committed_with_the_alerts_between_them(committer: Committer) -> None:
    first, entry, second = map(committer.incoming, [CLOSE, {**ENTRY, "id": "between"}, CLOSE])
    outcomes = committer.commit([first, entry, second])

    assert [Accepted(first.job_id), Accepted(entry.job_id), Accepted(first.job_id, is_duplicate=True)] == outcomes
    assert 1 == len(set(committer.commits_of([first, entry])))
    assert 2 == committer.receiver.count("alert")


def test_a_batch_of_new_refused_and_repeated_alerts_has_the_outcome_of_each(committer: Committer) -> None:
    known = committer.incoming({**ENTRY, "id": "known"})
    committer.commit([known])
    batch = [
        committer.incoming({**ENTRY, "quantity": 0}),
        committer.incoming({**ENTRY, "id": "known"}),
        committer.incoming({**ENTRY, "id": "new"}),
        committer.incoming({**ENTRY, "id": "known", "quantity": 2}),
    ]
    refused, repeated, new, conflict = committer.commit(batch)

    assert 422 == refused.status  # type: ignore[union-attr]  # it is a Refusal
    assert Accepted(known.job_id, is_duplicate=True) == repeated
    assert Accepted(batch[2].job_id) == new
    assert 409 == conflict.status  # type: ignore[union-attr]
    assert {known.job_id, batch[2].job_id} == {id_ for (id_,) in committer.receiver.rows("SELECT id FROM job")}
    assert [2, 2] == [
        n for (n,) in committer.receiver.rows("SELECT count(*)::int FROM alert GROUP BY verdict ORDER BY 1")
    ]


def test_a_refused_alert_is_stored_though_its_batch_has_a_known_key(committer: Committer) -> None:
    committer.commit([committer.incoming({**ENTRY, "id": "known"})])
    refused = committer.incoming({**ENTRY, "quantity": 0})
    others = [committer.incoming({**ENTRY, "id": name}) for name in ("known", "new")]
    committer.commit([refused, *others])
    only_repeated = [committer.incoming({**ENTRY, "quantity": 0}), committer.incoming({**ENTRY, "id": "known"})]
    committer.commit(only_repeated)

    stored = "SELECT verdict, count(*)::int FROM alert GROUP BY verdict ORDER BY verdict"
    assert [("accepted", 2), ("refused", 2)] == committer.receiver.rows(stored)


def test_a_batch_that_is_committed_again_stores_nothing_twice(committer: Committer) -> None:
    """So it is with the spool after a commit of which the outcome was not known."""
    batch = [committer.incoming({**ENTRY, "id": str(number)}) for number in range(3)]
    refused = committer.incoming({**ENTRY, "quantity": 0})
    reversal = committer.incoming({"action": "buy", "symbol": "MNQ", "market_position": "long",
                                   "market_position_size": 1, "stop_loss_ticks": 40})  # fmt: skip
    both = [committer.commit([*batch, refused, reversal]) for _ in range(2)]

    assert both[0] == both[1]
    assert 5 == committer.receiver.count("alert")
    assert 5 == committer.receiver.count("job")  # one beside that of the reversal


@pytest.mark.parametrize("has_known_key", [False, True])
def test_only_a_market_entry_against_what_is_held_has_a_closing_job(
    committer: Committer, *, has_known_key: bool
) -> None:
    receiver = committer.receiver
    committer.commit([committer.incoming({**ENTRY, "id": "known"})])
    assert 1 == receiver.count("job")
    receiver.track(MNQ)
    ((account_id,),) = receiver.rows("SELECT account_id FROM hook LIMIT 1")
    receiver.execute(
        "INSERT INTO position (account_id, contract_id, direction, quantity, average_price) "
        f"VALUES ({account_id}, '{MNQ}', 'SHORT', 1, 20000)"
    )
    batch = [committer.incoming({**ENTRY, "id": "reverses"}), committer.incoming({**ENTRY, "action": "sell"})]
    committer.commit([*batch, *([committer.incoming({**ENTRY, "id": "known"})] if has_known_key else [])])

    beside = receiver.rows("SELECT parent_id, queue FROM job WHERE name = 'alerts.close_reversed'")
    assert [(batch[0].job_id, "critical")] == beside
    assert 4 == receiver.count("job")
