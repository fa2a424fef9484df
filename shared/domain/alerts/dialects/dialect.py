"""The type of a dialect: its name, its purpose, and the function that reads its messages."""

from collections.abc import Callable
from dataclasses import dataclass

from shared.domain.alerts.payload import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One dialect. `read` turns a body into our own fields, and raises RefusedAlertError for one it cannot read.

    With `enters_positions` its entries are positions by their size in contracts, so a hook cannot size them by risk.
    """

    name: str
    summary: str
    read: Callable[[bytes], dict[str, Json]]
    enters_positions: bool = False
