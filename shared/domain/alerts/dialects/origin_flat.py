"""The flat JSON of the first system's asynchronous server: action, symbol, quantity and two prices."""

from shared.domain.alerts.dialects.action_words import ENTRIES, EXITS
from shared.domain.alerts.dialects.dialect import Dialect
from shared.domain.alerts.dialects.vocabulary import Vocabulary
from shared.domain.alerts.payload import Json

EXAMPLE = '{"action": "BUY", "symbol": "MNQ", "quantity": 1, "stop_loss": 21480.25, "take_profit": 21540.25}'
WORDS = Vocabulary(
    fields={
        "action": "action",
        "symbol": "symbol",  # the first system had a default: here it must be there
        "quantity": "quantity",  # likewise
        "stop_loss": "stop_loss",  # a price
        "take_profit": "take_profit",  # a price
    },  # price is the chart's, and kept
    actions={**ENTRIES, **EXITS},
    refused={
        "contracts": "send quantity, or give the hook the dialect origin-railway",
        "ticker": "send symbol, or give the hook the dialect origin-railway",
        "embeds": "give the hook the dialect origin-discord",
    },
    example=EXAMPLE,
)


def _read(raw: bytes) -> dict[str, Json]:
    return WORDS.translate(WORDS.read_json(raw))


DIALECT = Dialect(name="origin-flat", summary="the flat JSON of the first system", read=_read)
