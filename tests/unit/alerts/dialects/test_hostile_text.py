"""Bodies made to hurt: reading takes time in proportion to their size, and what is shown of them is harmless."""

import json
from contextlib import suppress
from time import process_time

import pytest

from shared.domain.alerts.dialects import DIALECTS
from shared.domain.alerts.parse import parse_alert
from shared.domain.alerts.payload import RefusedAlertError

SHORT, LONG = 4_000, 16_000  # characters; the receiver takes 16 kB
NOISE_S = 0.003
LEAST_S = 0.0005
FILLERS = (" ", "0", ",", ".", "1.", "A.", ", a", "\\n", "a=", "%20", "&a=b", "target 1 ", "long ")


def bodies(text: str) -> list[bytes]:
    """Return bodies that have a long text in each place that a dialect reads."""
    fields = {"action": "buy", "data": "buy", "symbol": "MNQ", "ticker": "MNQ", "quantity": 1, "contracts": 1}
    names = ["quantity", "position_size", "market_position", "max_positions", "symbol", "price", "order_type", "time"]
    return [
        text.encode(),
        f"action=buy;symbol=MNQ;quantity=1;max_positions={text}x".encode(),
        f"action=close;symbol=MNQ;quantity={text}x".encode(),
        json.dumps({"embeds": [{"title": f"[M]{text}{'x' * 201}"}]}).encode(),
        json.dumps({"embeds": [{"title": "[MNQ1!] Open long", "fields": [{"name": "Stop", "value": text}]}]}).encode(),
        *(json.dumps(fields | {name: f"{text}x"}).encode() for name in names),
        *(json.dumps(fields | {"action": "close", "data": "sell", name: f"{text}x"}).encode() for name in names[:3]),
    ]


def reading_time(dialect: str, body: bytes) -> float:
    """Return the least of three processor times in which a dialect reads a body."""
    times = []
    for _ in range(3):
        began = process_time()
        with suppress(RefusedAlertError):
            parse_alert(body, dialect)
        times.append(process_time() - began)
    return min(times)


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
@pytest.mark.parametrize("filler", FILLERS)
def test_four_times_the_body_does_not_take_sixteen_times_as_long(dialect: str, filler: str) -> None:
    short, long = (bodies(filler * (size // len(filler))) for size in (SHORT, LONG))
    for small, large in zip(short, long, strict=True):
        control = max(reading_time(dialect, small), LEAST_S)

        assert reading_time(dialect, large) < 10 * control + NOISE_S, large[:80]


def test_a_part_of_a_text_that_is_no_pair_is_not_shown() -> None:
    with pytest.raises(RefusedAlertError) as caught:
        parse_alert(b"password: hunter2-secret\naction=buy\nsymbol=MNQ", "text")

    assert "part 1, 24 characters, is no key=value" == caught.value.wrong
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        ("pickmytrade", {"data": "buy", "symbol": "MNQ", "quantity": 1, "tr\u0007\nail": "7"}),
        ("traderspost", {"ticker": "MNQ", "action": "buy", "quantity": 1, "stopLoss": {"per\n\u202ecent": 1}}),
        ("tradingview", {"ticker": "MNQ", "action": "buy", "contracts": 1, "sl_\r\npercent": 1}),
        ("tickwork", {"action": "close", "symbol": "MNQ", "qty\n": 1}),
        ("origin-discord", {"embeds": [{"title": "[MNQ1!] Exit", "fields": [{"name": "si\nze", "value": 1}]}]}),
    ],
)
def test_the_name_of_a_field_is_shown_on_one_line(dialect: str, body: dict[str, object]) -> None:
    with pytest.raises(RefusedAlertError) as caught:
        parse_alert(json.dumps(body).encode(), dialect)

    assert f"{caught.value} {caught.value.field}".isprintable()
