"""The feed of the market hub follows contracts from their first subscription on, and loads them in small pieces."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from simulator.hubs import market_feed
from simulator.hubs.market import density_of
from simulator.hubs.market_feed import DEPTH, QUOTE, TRADE, ContractRequest, MarketFeed, Record
from simulator.market.seeded import SeededMarket
from tests.fixtures.venue import MES, MNQ, OPEN_AT

MARKET = SeededMarket(7)
ALL = frozenset({QUOTE, TRADE, DEPTH})
MOMENT = timedelta(seconds=1)


def make_feed() -> MarketFeed:
    return MarketFeed(MARKET, density_of(240, 1), 1)


def request(contract_id: str, *, new: bool, since: datetime = OPEN_AT) -> ContractRequest:
    return ContractRequest(
        contract_id=contract_id, since=since, targets=ALL, new_targets=ALL if new else frozenset()
    )  # fmt: skip


def payloads(records: list[Record], target: str) -> list[Any]:
    return [json.loads(text.rstrip("\x1e"))["arguments"][1] for name, text in records if name == target]


def test_a_contract_is_followed_from_its_first_subscription_on() -> None:
    [found] = make_feed().advance([request(MNQ, new=True)], OPEN_AT + 10 * MOMENT, is_array=True)
    [first] = payloads(found.snapshots, QUOTE)
    trades = [trade for batch in payloads(found.updates, TRADE) for trade in batch if trade]

    assert OPEN_AT.isoformat() == first["timestamp"]
    assert "symbolName" in first
    assert OPEN_AT + MOMENT > datetime.fromisoformat(trades[0]["timestamp"]) >= OPEN_AT
    assert not any("symbolName" in quote for quote in payloads(found.updates, QUOTE))


def test_a_snapshot_is_of_the_moment_before_the_changes_that_follow_it() -> None:
    feed = make_feed()
    feed.advance([request(MNQ, new=True)], OPEN_AT + MOMENT, is_array=True)
    [found] = feed.advance([request(MNQ, new=True)], OPEN_AT + 2 * MOMENT, is_array=True)

    assert (OPEN_AT + MOMENT).isoformat() == payloads(found.snapshots, QUOTE)[0]["timestamp"]
    assert (OPEN_AT + MOMENT).isoformat() == payloads(found.snapshots, DEPTH)[0][0]["timestamp"]


def test_new_contracts_are_loaded_in_small_pieces_behind_those_that_are_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(market_feed, "_LOADING_S", 0)
    feed, now, found = make_feed(), OPEN_AT, list[list[str]]()
    ids = [contract.id for contract in MARKET.contracts(OPEN_AT)][:4]
    for _ in range(4):
        now += MOMENT
        found.append(
            [row.contract_id for row in feed.advance([request(id_, new=True) for id_ in ids], now, is_array=True)]
        )

    assert [ids[:count] for count in (1, 2, 3, 4)] == found


def test_a_contract_without_a_request_is_forgotten() -> None:
    feed = make_feed()
    feed.advance([request(MNQ, new=True), request(MES, new=True)], OPEN_AT + MOMENT, is_array=True)
    feed.advance([request(MES, new=False)], OPEN_AT + 2 * MOMENT, is_array=True)
    later = OPEN_AT + 60 * MOMENT
    [_, again] = feed.advance([request(MES, new=False), request(MNQ, new=True, since=later)], later, is_array=True)

    assert later.isoformat() == payloads(again.snapshots, QUOTE)[0]["timestamp"]
