"""The life of an approval: an entry of an alert or a strategy that waits for a person."""

from enum import StrEnum


class ApprovalState(StrEnum):
    """The state of an approval. WAITING ends once: by a person, or as LAPSED if it is not decided in time.

    An APPROVED entry is checked again. It ends as ORDERED, and its order says what became of that, as DENIED, or as
    EXPIRED if it could not be made in time.
    """

    WAITING = "WAITING"
    APPROVED = "APPROVED"
    ORDERED = "ORDERED"
    DENIED = "DENIED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"
    LAPSED = "LAPSED"
