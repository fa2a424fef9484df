"""When a running program counts as hung: it has given no sign of life for long, though the computer was awake."""

from dataclasses import dataclass
from typing import Final

STARTING_S: Final = 120.0  # until the first sign of life
# Looks follow one another within seconds. After a longer gap the supervisor, or the whole computer, stood still.
_STOOD_STILL_S: Final = 15.0
_MOST_DOUBLINGS: Final = 5
_STEADY_AFTER_S: Final = 600.0


@dataclass
class HangWatch:
    """Measures the silence of one program, over its restarts.

    Each restart of a program that hung doubles the silence that the next is allowed, up to 32 times: a program that is
    only slow must become ready at last. Ten minutes of life reset that.
    """

    allowed_s: float
    silent_s: float = 0.0
    restarts: int = 0
    _last_look_at: float | None = None
    _first_sign_at: float | None = None
    _last_sign: float | None = None

    def begin(self) -> None:
        """Begin with a new process."""
        self.silent_s = 0.0
        self._last_look_at = self._first_sign_at = self._last_sign = None

    def observe(self, sign: float | None, now: float) -> None:
        """Record the sign of life seen at `now`: another one than before, and not None, shows that it lives."""
        elapsed = 0.0 if self._last_look_at is None else now - self._last_look_at
        self._last_look_at = now
        if sign is not None and sign != self._last_sign:
            self._last_sign, self.silent_s = sign, 0.0
            if self._first_sign_at is None:
                self._first_sign_at = now
            elif now - self._first_sign_at >= _STEADY_AFTER_S:
                self.restarts = 0
        elif elapsed > _STOOD_STILL_S:
            self.silent_s = 0.0
        else:
            self.silent_s += elapsed

    @property
    def is_hung(self) -> bool:
        """Whether the program must be ended."""
        allowed_s = self.allowed_s if self._first_sign_at is not None else max(self.allowed_s, STARTING_S)
        return self.silent_s > allowed_s * 2.0 ** min(self.restarts, _MOST_DOUBLINGS)
