"""How often the hub is asked again for an account that it refuses."""

from dataclasses import dataclass

_FIRST_PAUSE_S = 5.0
_LONGEST_PAUSE_S = 300.0


@dataclass(frozen=True, slots=True)
class Refusals:
    """The refusals of one account in a row; instants are seconds of a clock that is never set."""

    count: int = 0
    last_at_s: float = 0.0

    @property
    def pause_s(self) -> float:
        """The pause before the next question: it doubles from five seconds to five minutes."""
        return min(_FIRST_PAUSE_S * 2.0 ** min(self.count - 1, 10), _LONGEST_PAUSE_S)

    def add(self, now_s: float) -> "Refusals":
        """Return them with one more, at an instant."""
        return Refusals(self.count + 1, now_s)

    def is_due(self, now_s: float) -> bool:
        """Whether the account may be asked for."""
        return self.count == 0 or now_s - self.last_at_s >= self.pause_s
