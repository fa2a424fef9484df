"""The time in which a sender is answered while Postgres hangs: TradingView gives up after three seconds."""

import time

import pytest

from tests.fixtures.figures import line
from tests.fixtures.receiver_process import ENTRY, StartReceiver
from tests.fixtures.wire_tap import WireTap
from web.receiver.deadline import TIMEOUT_S

pytest_plugins = ("tests.fixtures.receiver",)
ALERTS = 10
TRADINGVIEW_WAITS_MS = 3000


@pytest.mark.bench
def test_a_sender_is_answered_before_tradingview_gives_up(
    database_url: str, start_receiver: StartReceiver, capsys: pytest.CaptureFixture[str]
) -> None:
    """The control is the same alert while Postgres answers."""
    with WireTap(database_url) as wire:
        receiver = start_receiver(through=wire.url, timeout_s=TIMEOUT_S)

        def post(number: int, expected: int) -> float:
            began = time.perf_counter()
            assert expected == receiver.post(ENTRY | {"id": str(number)}).status_code
            return (time.perf_counter() - began) * 1000

        control = [post(number, 202) for number in range(ALERTS)]
        wire.block()
        answered = [post(ALERTS + number, 503) for number in range(ALERTS)]
    with capsys.disabled():
        print()
        print(line("POST to 503 while Postgres hangs", answered))
        print(line("control: POST to 202", control))
    assert max(answered) < TRADINGVIEW_WAITS_MS
