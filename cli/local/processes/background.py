"""A thread of `up` that works beside the supervisor until it is closed."""

import threading
from abc import ABC, abstractmethod

_ENDS_WITHIN_S = 2.0


class Background(ABC):
    """Runs `_run` in a thread of its own, which looks at `_is_ending` and ends with the process at the latest."""

    def __init__(self, name: str) -> None:
        self._is_ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End, without waiting long for what it does now."""
        self._is_ending.set()
        if self._thread.is_alive():
            self._thread.join(_ENDS_WITHIN_S)

    @abstractmethod
    def _run(self) -> None:
        """Work until `_is_ending` is set."""
