"""The life of an approval: an entry of an alert or a strategy that waits for a person."""

from enum import StrEnum


class ApprovalState(StrEnum):
    """The state of an approval. WAITING ends once: by a person, or as LAPSED if it is not decided in time.

    APPROVED says that a person approved it: the rules are asked again, and its order says what became of it.
    """

    WAITING = "WAITING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    LAPSED = "LAPSED"
