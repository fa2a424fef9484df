"""Retired words stay away: each has a standard term in docs/glossary.md."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("cli", "docs", "scheduler", "shared", "simulator", "strategies", "tests", "web", "workers")
EXEMPT = {
    "CHANGELOG.md",
    "docs/glossary.md",
    "tests/architecture/test_words.py",
    "cli/local/servers/unix_user.py",  # one of the users it tries is called nobody
}
RETIRED = (
    "wish", "wishes", "standing", "standings", "mending", "stranger", "strangers", "so far", "nobody", "whoever",
    "rehearsal", "cure", "cures", "order_key", "cause_id", "unique_key", "told_at", "met_at", "intended_at", "put_back",
    "give_back", "hand_back", "take_back_expired_leases", "hand_over", "hold_queued", "enqueue_once", "wakes_itself",
    "KeptLine", "Followed", "NotRecordedError", "TradingError", "RedisAwayError", "LedgerDownError", "get_ready",
    "against_entry", "floor_of", "highest_close", "room_to_floor", "maximum_loss", "Rung", "INTENDED", "OVERTAKEN",
    "Patience", "FleetAccess", "OrderTicket", "flattening_id", "FlatteningRow", "settle_order", "find_fills",
    "record_events", "copy_alert", "enter_by_hand", "halt_over_strangers", "write_down", "look_whole", "look_now",
    "is_rehearsal", "is_carried_in", "PATIENCE_S", "nothing_here", "copied_to", "looked_at",
    "noted_at", "said_at", "handed back", "whose fate", "naked", "workshop", "the venue's word", "money depends on",
    "exposure", "is_overtaken", "is_undone", "is_superseded", "has_pending_exit", "alert_order", "only_side",
    "kept_side", "prev_position", "is_moving", "entry_gates", "require_timely", "require_wanted", "TokenGate",
    "exit_alert", "hook_copy", "CopyAlert", "Unanswered", "Asker", "ticket", "grown", "handed", "hands", "last_words",
    "intend", "look_at", "_prove", "Seen", "Submitted", "_take_their_word", "LOOKS", "_WATCH", "_NEVER_LATE", "PERSON",
    "REFUSED", "CUT", "OrderState.UNKNOWN", "job.turn", "c.turn", "accounts.every", "contracts.held", "contracts.known",
    "schedules.held", "positions.hold", "orders.like", "in_time", "patience", "_told", "_noted", "_hanging_up",
    "leftovers", "spoiling", "visits", "desk", "habits", "referee", "Floor", "plant", "pit", "carried in",
    "has met no market", "is no side", "stage we know", "needs to be committed", "attempts are spent", "waits for you",
    "asks anew", "what hangs", "judge", "judges", "judged", "def look", "def _look", "Intake", "class Answer",
    "class Stand", "class Line", "ladder", "def understand", "daily_loss",
)  # fmt: skip
# Plain English, or a term of a protocol, as a part of a longer name: retired as a name of its own.
ORDINARY_IN_NAMES = ("in_time", "look_at", "hands", "def look", "def _look", "REFUSED")
# Terms in force that have a retired one in them.
IN_FORCE = re.compile(r"daily_loss_limit", re.IGNORECASE)
# Folders and files where a retired word is the field's own term, or is still in use.
ALLOWED = {
    "docs": ("judged",),  # plain English there; retired as a name in code
    "simulator/hubs": ("ladder",),  # the price levels of an order book
    "tests/unit/simulator/test_ticker.py": ("ladder",),
    "tests/contract/test_simulator_hubs_market.py": ("ladder",),
    "tests/clients": ("daily_loss",),  # a field of other people's clients
}
# Modules and folders, where their names are ordinary words elsewhere.
RETIRED_MODULES = {
    "cli": ("account", "alone", "ask", "begin", "changing", "chosen", "drain", "entries", "keys", "said", "stands"),
    "shared/gateway": ("asker", "patience"),
    "shared/hot": ("patience",),
    "shared/ledger": ("following", "intake", "line", "mending", "rows"),
    "simulator": ("answers", "book", "gate", "shapes"),
    "web/receiver": ("intake", "patience", "unanswered"),
    "workers": ("access", "books", "build", "calls", "intend", "progress", "run", "strangers", "sync"),
}
OTHER_FILES = (".importlinter", ".pre-commit-config.yaml", "Makefile", "docker-compose.yml", "pyproject.toml")


def pattern_of(word: str) -> str:
    """Return the pattern of a word, at the beginning of a sentence too; a word with capitals is a name as it stands."""
    return re.escape(word) if word != word.lower() else f"(?i:{re.escape(word)})"


def any_of(words: Iterable[str], part: str) -> re.Pattern[str]:
    """Return the pattern of any of the words without a `part` before or after it; a private name has a `_` before."""
    return re.compile(rf"(?<![{part}])_?({'|'.join(map(pattern_of, words))})(?![{part}])")


# An underscore ends a word: one inside a longer name is as retired as the name alone.
WORD = any_of([word for word in RETIRED if word not in ORDINARY_IN_NAMES], "A-Za-z0-9")
NAME = any_of(ORDINARY_IN_NAMES, "A-Za-z0-9_")


def retired_in(line: str) -> set[str]:
    """Return the retired words of a line, in lower case."""
    plain = IN_FORCE.sub("", line)
    return {word.lower() for word in (*WORD.findall(plain), *NAME.findall(plain))}


def files() -> list[Path]:
    found = [
        file for folder in FOLDERS for ending in ("py", "md", "sql") for file in (ROOT / folder).rglob(f"*.{ending}")
    ]
    others = [ROOT / name for name in OTHER_FILES if (ROOT / name).exists()]
    return sorted({*found, *others, *ROOT.glob("*.md")} - {ROOT / name for name in EXEMPT})


def words_allowed_in(file: Path) -> set[str]:
    """Return the retired words that a file may have, in lower case."""
    return {word for place, words in ALLOWED.items() if file.is_relative_to(ROOT / place) for word in words}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("old_order_key = None", {"order_key"}),
        ("def settle_order_again() -> None:", {"settle_order"}),
        ("def test_a_watch_that_judged_first() -> None:", {"judged"}),
        ("self._order_key", {"order_key"}),
        ("Nobody waits.", {"nobody"}),
        ("daily_loss_limit, daily_losses, border_keys, the order key", set()),
        ("answered_in_time, shake_hands", set()),
        ("with in_time():", {"in_time"}),
    ],
)
def test_a_retired_word_is_found_inside_a_name_too(line: str, expected: set[str]) -> None:
    assert expected == retired_in(line)


def test_no_file_has_a_retired_word() -> None:
    assert [] == [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
        for file in files()
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if retired_in(line) - words_allowed_in(file)
    ]


def test_no_module_has_a_retired_name() -> None:
    assert [] == [
        str(file.relative_to(ROOT))
        for folder, names in RETIRED_MODULES.items()
        for file in (ROOT / folder).rglob("*.py")
        if {*names} & {*file.relative_to(ROOT / folder).with_suffix("").parts}
    ]
