"""The figures that a verdict on an entry saw, as commands show them."""

from collections.abc import Mapping
from typing import Any


def name_figures(figures: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the stored figures for JSON: dollars left once every open stop is hit, by the name of the loss limit.

    That is less than the headroom of `tickwork risk`, which is what is left now.
    """
    if figures is None:
        return None
    left = {rule.replace(" ", "_"): value for rule, value in figures.get("headroom", {}).items()}
    return {name: value for name, value in figures.items() if name != "headroom"} | {"left_after_stops": left}


def describe_figures(figures: Mapping[str, Any]) -> str:
    """Return the stored figures in words."""
    shown = [f"{name.replace('_', ' ')} {value}" for name, value in figures.items() if name != "headroom"]
    left = " and ".join(f"{value} is left to the {rule}" for rule, value in figures.get("headroom", {}).items())
    return ", ".join([*shown, *([f"once every open stop is hit {left}"] if left else [])])
