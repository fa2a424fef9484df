"""How many notifications become few messages: the important ones each, many of the rest as one."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from shared.domain.counting import count_of
from shared.domain.market_data.contract_text import shorten_contracts
from shared.domain.notifications.kinds import NOUNS, Kind, Level

# Most messages to a channel at once. Sent every 15 s, they stay below what services allow: Telegram takes 20 a minute
# in a group, a webhook of Discord 30.
MOST_MESSAGES = 5
_LINES_OF_FOLDED = 8
_LONGEST_LINE = 300
_PLURALS = {Kind.DENIED: "denied entries", Kind.LIMIT: "warnings of rules", Kind.WATCH: "programs that watch",
            Kind.SUMMARY: "summaries"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pending:
    """A notification that waits for a channel."""

    id: int
    kind: Kind
    level: Level
    text: str
    happened_at: datetime


@dataclass(frozen=True, slots=True)
class PlannedMessage:
    """One message, and the ids of the notifications that it tells."""

    title: str
    body: str
    ids: tuple[int, ...]
    level: Level


def plan_messages(pending: Sequence[Pending], *, zone: str, venue: str = "") -> list[PlannedMessage]:
    """Return the messages that tell all of `pending`, the most important first; none is left out, or told twice.

    Up to MOST_MESSAGES are sent each by itself. Of more, the most important critical ones are, and the rest is one
    message with counts and the first lines. Times are by the clock of `zone`; `venue` is added to each title, such as
    "simulator".
    """
    groups = sorted(_unite(pending), key=lambda group: (group[0].level.rank, group[0].happened_at, group[0].id))
    if len(groups) <= MOST_MESSAGES:
        return [_tell(group, zone, venue) for group in groups]
    alone = [group for group in groups if group[0].level is Level.CRITICAL][: MOST_MESSAGES - 1]
    return [*(_tell(group, zone, venue) for group in alone), _fold(groups[len(alone) :], zone, venue)]


def _unite(pending: Sequence[Pending]) -> Iterator[list[Pending]]:
    """Yield those that say the same, oldest first."""
    groups: dict[tuple[Kind, Level, str], list[Pending]] = {}
    for one in sorted(pending, key=lambda each: (each.happened_at, each.id)):
        groups.setdefault((one.kind, one.level, one.text), []).append(one)
    yield from groups.values()


def _tell(group: Sequence[Pending], zone: str, venue: str) -> PlannedMessage:
    first = group[0]
    return PlannedMessage(
        _title(f"{NOUNS[first.kind]}", first.level, venue), _line(group, zone), _ids_of([group]), first.level
    )


def _fold(groups: Sequence[Sequence[Pending]], zone: str, venue: str) -> PlannedMessage:
    counts = Counter(one.kind for group in groups for one in group)
    told = ", ".join(count_of(number, NOUNS[kind], _PLURALS.get(kind)) for kind, number in counts.most_common())
    lines = [_line(group, zone) for group in groups[:_LINES_OF_FOLDED]]
    left = len(groups) - len(lines)
    more = [f"and {left:,} more: `tickwork db psql`, table notification"] if left else []
    return PlannedMessage(
        _title(told, groups[0][0].level, venue), "\n".join([*lines, *more]), _ids_of(groups), groups[0][0].level
    )


def _title(subject: str, level: Level, venue: str) -> str:
    mark = "" if level is Level.INFO else f"{level.upper()}: "
    return f"Tickwork{f' ({venue})' if venue else ''}: {mark}{subject}"


def _line(group: Sequence[Pending], zone: str) -> str:
    newest = group[-1]
    times = f" ({len(group):,} times)" if len(group) > 1 else ""
    text = shorten_contracts(newest.text)
    text = text if len(text) <= _LONGEST_LINE else f"{text[:_LONGEST_LINE]}…"
    return f"{newest.happened_at.astimezone(ZoneInfo(zone)):%H:%M:%S %Z} {text}{times}"


def _ids_of(groups: Sequence[Sequence[Pending]]) -> tuple[int, ...]:
    return tuple(one.id for group in groups for one in group)
