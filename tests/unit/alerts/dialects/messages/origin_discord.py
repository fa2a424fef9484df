"""Discord messages of the first system's Pine script, each with what it must lead to."""

import json

from tests.unit.alerts.dialects.meaning import Row


def embed(title: str, **fields: str) -> str:
    """Return a message; names of fields have _ for a blank."""
    shown = [{"name": name.replace("_", " "), "value": value, "inline": True} for name, value in fields.items()]
    return json.dumps({"embeds": [{"title": title, "color": 65280, "description": "$ +80.9 points", "fields": shown}]})


PRICES = {"Entry": "21500.25", "Stop": "21480.25", "Target_1": "21540.25", "Target_2": "21580.25"}

ROWS: list[Row] = [
    # An entry is a stop order at the entry's price, of one contract. Positions from -1, 0, +1 and +3.
    (embed("[MNQ1!] Open long position", **PRICES), "BUY 1 MNQ stop 21500.25 sl 21480.25 tp 21540.25", "0 1 2 4"),
    (embed("[MNQ1!] Open short position", Entry="$21,500.25", Stop_Loss="21,520.25 pts"),
     "SELL 1 MNQ stop 21500.25 sl 21520.25", "-2 -1 0 2"),
    (embed("[M2K1!] open_long", Entry="2310.5", Stop="2300"), "BUY 1 M2K stop 2310.5 sl 2300", "0 1 2 4"),
    (embed("[6E1!] Open long position", Stop="1.0850"), "BUY 1 6E sl 1.0850", "0 1 2 4"),
    (embed("[MES1!] Open short position"), "SELL 1 MES", "-2 -1 0 2"),
    (embed("[MNQ1!] Open long position", Entry="21500.25 / 21501"), "refused Entry: message such as", ""),
    (embed("[MNQ1!] Open long position", Stop="-21480"), "refused Stop: message such as", ""),
    (embed("[MNQ1!] Open long position", Stop="NaN"), "refused Stop: message such as", ""),
    (embed("[MNQ1!] Open long position", Stop="21480", Stop_2="21470"), "refused Stop 2: message such as", ""),
    # Exits need a title only: prices in them do not count.
    (embed("[MNQ1!] Stop out long position", Stop="NaN"), "CLOSE LONG MNQ", "-1 0 0 0"),
    (embed("[MNQ1!] Stopped out short", Entry="?"), "CLOSE SHORT MNQ", "0 0 1 3"),
    (embed("[MNQ1!] TP2 hit long"), "CLOSE LONG MNQ", "-1 0 0 0"),
    (embed("[MNQ1!] Target 3 hit"), "CLOSE MNQ", "0 0 0 0"),
    (embed("[MNQ1!] Close long position"), "CLOSE LONG MNQ", "-1 0 0 0"),
    (embed("[MNQ1!] exit_short"), "CLOSE SHORT MNQ", "0 0 1 3"),
    (embed("[MNQ1!] Exit position"), "CLOSE MNQ", "0 0 0 0"),
    (embed("[MNQ1!] Session close"), "CLOSE MNQ", "0 0 0 0"),
    (embed("[MNQ1!] Close long and short"), "CLOSE MNQ", "0 0 0 0"),
    (embed("[MNQ1!] Close long, open short"), "CLOSE MNQ", "0 0 0 0"),
    # A part without a size, and messages of another kind.
    (embed("[MNQ1!] Trim/Close long position"), "refused title: target 1", ""),
    (embed("[MNQ1!] TP1 hit long"), "refused title: target 1", ""),
    (embed("[MNQ1!] Target 1 hit, close half"), "refused title: target 1", ""),
    (embed("[MNQ1!] TP1 exit"), "refused title: target 1", ""),
    (embed("[MNQ1!] TP 1 exit long"), "refused title: target 1", ""),
    (embed("[MNQ1!] Close half of long position"), "refused title: target 1", ""),
    (embed("[MNQ1!] Partial exit, target 2"), "refused title: target 1", ""),
    (embed("[MNQ1!] Exit 50% of long"), "refused title: leave the size out", ""),
    (embed("[MNQ1!] Close 1 contract"), "refused title: leave the size out", ""),
    (embed("[MNQ1!] Close 1 of 3"), "refused title: leave the size out", ""),
    (embed("[MNQ1!] close 1"), "refused title: leave the size out", ""),
    (embed("[MNQ1!] Exit 2 long"), "refused title: leave the size out", ""),
    (embed("[MNQ1!] Close one third"), "refused title: leave the size out", ""),
    (embed("[MNQ1!] Close 1/3 of long"), "refused title: leave the size out", ""),
    (embed("[MNQ1!] Target 2 hit - 1/3 closed"), "refused title: leave the size out", ""),
    (embed("[MNQ1!] Close long position", Contracts="1"), "refused Contracts: leave the size out", ""),
    # All of what is left, whatever came before.
    (embed("[MNQ1!] Session close, half day"), "CLOSE MNQ", "0 0 0 0"),
    (embed("[MNQ1!] Stop out long after TP1"), "CLOSE LONG MNQ", "-1 0 0 0"),
    (embed("[MNQ1!] Exit 100% of long, +1.2%"), "CLOSE LONG MNQ", "-1 0 0 0"),
    (embed("[MNQ1!] Exit long 21500.25"), "CLOSE LONG MNQ", "-1 0 0 0"),
    (embed("[MNQ1!] Session close 1/3"), "CLOSE MNQ", "0 0 0 0"),
    (embed("[MNQ1!] Good morning"), "refused title: Open long position", ""),
    (embed("Open long position"), "refused title: [MNQ1!]", ""),
    (embed("[AAPL] Open long position"), "refused symbol: MNQ1!", ""),
    (json.dumps({"content": "[MNQ1!] Open long position"}), "refused embeds: message such as", ""),
    (json.dumps({"embeds": []}), "refused embeds: message such as", ""),
    (json.dumps({"embeds": [{"title": 1}]}), "refused title: message such as", ""),
    (json.dumps({"embeds": [{"title": "[MNQ1!] Open long"}, {"title": "[MNQ1!] Open short"}]}),
     "refused embeds: message such as", ""),
]  # fmt: skip
