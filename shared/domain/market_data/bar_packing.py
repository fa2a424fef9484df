"""The bars of one trading day packed into bytes: a seventh of what they take as rows."""

from dataclasses import dataclass

import numpy as np

from shared.domain.market_data.bar_columns import BarColumns

_MINUTE = 60
_VOLUME_BYTES = 4
_SMALL_MOST = 2**15


@dataclass(frozen=True, slots=True)
class PackedBars:
    """The bars of a day: the start and the open of the first one, and all in `data`, column by column, big-endian.

    The columns are the minutes since the bar before, the open less the close before, high less open, open less low and
    close less open, each in `value_bytes` per bar, and the volume in four. The first bar has 0 in the first two.
    """

    first_second: int
    first_open: int
    value_bytes: int
    data: bytes

    @property
    def count(self) -> int:
        """The number of bars."""
        return len(self.data) // (5 * self.value_bytes + _VOLUME_BYTES)


def pack(bars: BarColumns) -> PackedBars:
    """Pack bars of minutes, at least one, whose prices and volumes are those of a `Bar`."""
    values = np.vstack(
        [
            np.diff(bars.seconds, prepend=bars.seconds[0]) // _MINUTE,
            bars.open - np.concatenate((bars.open[:1], bars.close[:-1])),
            bars.high - bars.open,
            bars.open - bars.low,
            bars.close - bars.open,
        ]
    )
    is_small = values.min() >= -_SMALL_MOST and values.max() < _SMALL_MOST
    value_bytes = 2 if is_small else 4
    data = values.astype(f">i{value_bytes}").tobytes() + bars.volume.astype(">i4").tobytes()
    return PackedBars(int(bars.seconds[0]), int(bars.open[0]), value_bytes, data)


def unpack(packed: PackedBars) -> BarColumns:
    """Return the bars that `pack` packed."""
    size = 5 * packed.count * packed.value_bytes
    minutes, opens, highs, lows, closes = (
        np.frombuffer(packed.data, dtype=f">i{packed.value_bytes}", count=5 * packed.count)
        .reshape(5, -1)
        .astype(np.int64)
    )
    volume = np.frombuffer(packed.data, dtype=">i4", offset=size).astype(np.int64)
    close = packed.first_open + np.cumsum(opens + closes)
    first = close - closes
    return BarColumns(
        packed.first_second + np.cumsum(minutes) * _MINUTE, first, first + highs, first - lows, close, volume
    )
