"""The description of a recorded file, as JSON: `python -m simulator.describe FILE`."""

import json
import sys
from datetime import timedelta
from pathlib import Path

from shared.domain.market_data.calendar import calendar_of
from shared.domain.market_data.contract import ROOTS
from shared.errors import SettingsError
from simulator.market.replay import ReplayMarket

_AFTER_OPEN = timedelta(minutes=5)


def describe(file: Path) -> dict[str, str]:
    """Return the contract, its root, the start (five minutes into the second trading day), the end and a note.

    Raise SettingsError if the file has fewer than two trading days: the first is history.
    """
    market = ReplayMarket(file)
    (contract,) = market.contracts(market.recorded.start)
    calendar = calendar_of(ROOTS[contract.root].group)
    spans = calendar.open_spans(market.recorded)
    traded = [span for span in spans if market.is_open(contract, span.start)]
    if len(traded) < 2:  # noqa: PLR2004  # the first is history
        raise SettingsError(f"{file} has {len(traded)} trading days: expected at least 2, the first of them as history")
    return {
        "contract": contract.id,
        "root": contract.root,
        "starts": (traded[1].start + _AFTER_OPEN).isoformat(),
        "ends": market.recorded.end.isoformat(),
        "note": market.note,
    }


def main() -> int:
    """Print the description, or the error on stderr; return the exit code."""
    try:
        print(json.dumps(describe(Path(sys.argv[1]))))  # noqa: T201  # the output of this program
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201  # as above
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
