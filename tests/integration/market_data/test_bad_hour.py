"""For an hour the gateway lags, cuts, spoils and misreports bars; when it is well again each minute is as it says."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from shared.db.engine import autocommit
from shared.db.market_data import bar_coverage, bars, contracts
from shared.domain.market_data.bar import MINUTE
from shared.domain.market_data.coverage import Span, subtract
from shared.gateway.rest.transport import BARS
from tests.fixtures.bar_fetches import BarFetches
from tests.fixtures.order_sessions import other_gateway
from tests.fixtures.stepped_env import open_stepped_env
from tests.fixtures.venue import MNQ, OPEN_AT
from workers.call_log import CallBuffer
from workers.venue_wiring import open_gateway

SEED = 22
LASTS = 60


class BadAnswers:
    """Changes the answers of bars, newest first, each in one way."""

    def __init__(self) -> None:
        self.random = Random(SEED)
        self.spoilt: set[str] = set()
        self.kinds: set[str] = set()

    def change(self, document: dict[str, Any]) -> None:
        rows = document["bars"]
        kind = self.random.choice(["lag", "cut", "hole", "misreport", "spoil", "empty", "none"])
        self.kinds.add(kind)
        some = self.random.randrange(len(rows)) if rows else 0
        if kind == "lag":
            document["bars"] = rows[self.random.randint(1, 4) :]
        elif kind == "cut":
            document["bars"] = rows[: self.random.randint(1, 10)]
        elif kind == "hole":
            document["bars"] = rows[:some] + rows[some + 3 :]
        elif kind == "empty":
            document["bars"] = []
        elif kind == "misreport" and rows:
            rows[some] |= {"h": rows[some]["h"] + 25, "v": rows[some]["v"] + 1}
        elif kind == "spoil" and rows:
            rows[some] |= self.random.choice([{"o": 25000.1}, {"l": 99999}, {"v": None}])
            self.spoilt.add(rows[some]["t"])


def test_after_an_hour_of_bad_answers_every_minute_is_the_venues(
    servers: tuple[str, str], template_with_bars: str, tmp_path: Path
) -> None:
    bad = BadAnswers()
    with open_stepped_env(*servers, template_with_bars, tmp_path) as stepped, other_gateway(stepped.env.venue) as other:
        env = stepped.env
        settings = replace(env.settings, venue=replace(env.settings.venue, url=other.url))
        with (
            open_gateway(settings, CallBuffer(env.ledger.engine)) as gateway,
            autocommit(env.ledger.engine) as connection,
        ):
            contract = contracts.require(connection, MNQ)
            fetches = BarFetches(env, gateway)
            begins = OPEN_AT - LASTS * MINUTE * 2
            for minute in range(1, LASTS * 2 + 2):
                if minute == 1:
                    other.changes[BARS] = bad.change
                elif minute == LASTS:
                    other.changes.clear()
                stepped.step_to(OPEN_AT + minute * MINUTE + timedelta(seconds=1))
                fetches.fetch(contract, OPEN_AT + minute * MINUTE)
            assert {"lag", "cut", "hole", "misreport", "spoil", "empty", "none"} == bad.kinds
            span = Span(begins, OPEN_AT + LASTS * 2 * MINUTE)
            truth = gateway.bars(contract, span).bars
            assert truth == bars.read(connection, MNQ, span).to_bars()
            assert () == subtract([span], bar_coverage.read(connection, MNQ).complete)
        rejected = {start.isoformat() for (start,) in env.rows("SELECT start FROM rejected_bar")}
        assert bad.spoilt == rejected
        ((corrected,),) = env.rows("SELECT count(*) FROM bar_correction")
        assert corrected > 0
