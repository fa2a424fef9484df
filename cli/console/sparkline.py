"""Figures drawn in one line: a trend as bars of eight heights, a share as a bar."""

from collections.abc import Sequence
from decimal import Decimal

_HEIGHTS = "▁▂▃▄▅▆▇█"


def draw_trend(values: Sequence[Decimal], width: int) -> str:
    """Return the values, oldest first, as at most `width` characters; a flat line if they are all the same."""
    if not values:
        return ""
    step = max(1, -(-len(values) // width))
    shown = [values[min(index + step, len(values)) - 1] for index in range(0, len(values), step)]
    least, most = min(shown), max(shown)
    if least == most:
        return _HEIGHTS[0] * len(shown)
    return "".join(_HEIGHTS[int((value - least) / (most - least) * (len(_HEIGHTS) - 1))] for value in shown)


def draw_share(part: Decimal | None, whole: Decimal, width: int) -> str:
    """Return a part of a whole as a bar and a percentage, full also with more; `unknown` for None."""
    if part is None:
        return "unknown"
    share = max(Decimal(0), min(Decimal(1), part / whole)) if whole > 0 else Decimal(0)
    full = int((share * width).to_integral_value())
    return f"{'█' * full}{'░' * (width - full)} {share:.0%}"
