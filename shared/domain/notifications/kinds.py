"""What a trader can be told of, and how important each is."""

from enum import StrEnum


class Level(StrEnum):
    """The importance of a notification; the members are in order, the most important first."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"

    def reaches(self, least: "Level") -> bool:
        """Whether it is at least as important as `least`."""
        return _ORDER[self] <= _ORDER[least]

    @property
    def rank(self) -> int:
        """Its place in the order of importance, 0 for the most important."""
        return _ORDER[self]


_ORDER = {level: rank for rank, level in enumerate(Level)}


class Kind(StrEnum):
    """The subject of a notification."""

    FILL = "fill"
    DENIED = "denied"
    REJECTED = "rejected"
    ALERT = "alert"
    ACCOUNT = "account"
    LIMIT = "limit"
    JOB = "job"
    WATCH = "watch"
    SUMMARY = "summary"
    TEST = "test"


KINDS = tuple(kind for kind in Kind if kind is not Kind.TEST)
NOUNS = {
    Kind.FILL: "fill",
    Kind.DENIED: "denied entry",
    Kind.REJECTED: "rejected order",
    Kind.ALERT: "refused alert",
    Kind.ACCOUNT: "account event",
    Kind.LIMIT: "warning of a rule",
    Kind.JOB: "dead job",
    Kind.WATCH: "program that watches",
    Kind.SUMMARY: "summary",
    Kind.TEST: "test",
}
MEANINGS = {
    Kind.FILL: "every fill",
    Kind.DENIED: "an entry that a pre-trade check denied",
    Kind.REJECTED: "an order that the venue rejected",
    Kind.ALERT: "an alert that was refused",
    Kind.ACCOUNT: "a halt, a block, a flatten, a mismatch, a lock, a full disk, and what people changed",
    Kind.LIMIT: "a warning of a rule, such as half of the allowed loss used up; once a day each",
    Kind.JOB: "a job that is dead and waits for a person",
    Kind.WATCH: "the feed, the risk monitor or the public URL stops, or works again",
    Kind.SUMMARY: "the result of a trading day that has ended",
}
