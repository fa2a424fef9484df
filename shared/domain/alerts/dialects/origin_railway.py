"""The JSON that the first system documented for its deployment: action, contracts, ticker, price and strategy."""

from shared.domain.alerts.dialects.action_words import ENTRIES, EXITS
from shared.domain.alerts.dialects.dialect import Dialect
from shared.domain.alerts.dialects.vocabulary import Vocabulary
from shared.domain.alerts.payload import Json

EXAMPLE = '{"action": "buy", "contracts": 1, "ticker": "MNQ1!", "price": 21500.25, "strategy": "ORB"}'
WORDS = Vocabulary(
    fields={
        "action": "action",
        "contracts": "quantity",
        "ticker": "symbol",
    },  # price is the chart's, strategy a name: both are kept
    actions={**ENTRIES, **EXITS},
    refused={"embeds": "give the hook the dialect origin-discord"},
    example=EXAMPLE,
)


def _read(raw: bytes) -> dict[str, Json]:
    return WORDS.translate(WORDS.read_json(raw))


DIALECT = Dialect(name="origin-railway", summary="the documented JSON of the first system", read=_read)
