"""Counts of answers since the start, for the metrics of the receiver."""

from collections import Counter


class Counters:
    """How many alerts were answered with each status."""

    def __init__(self) -> None:
        self._answers: Counter[int] = Counter()

    def count(self, status: int) -> None:
        """Count one answer."""
        self._answers[status] += 1

    def snapshot(self) -> dict[str, int]:
        """Return the counts by status."""
        return {str(status): count for status, count in sorted(self._answers.items())}
