"""The roots that are tracked as a person knows them: in the order of the setting, and what to do for another."""

from collections.abc import Collection, Sequence


def sort_roots(roots: Collection[str], wanted: Sequence[str]) -> list[str]:
    """Return roots in the order of the setting contracts, `wanted`; those that it lacks follow by the alphabet."""
    return sorted(roots, key=lambda root: (wanted.index(root) if root in wanted else len(wanted), root))


def describe_untracked(root: str, tracked: Sequence[str]) -> str:
    """Return that a root is not tracked, and how to track it beside those that are."""
    return f"{root} is not tracked, only {', '.join(tracked) or 'nothing'}: {suggest_tracking([*tracked, root])}"


def suggest_tracking(roots: Sequence[str]) -> str:
    """Return the commands after which exactly these roots are tracked."""
    return f"run `tickwork config set contracts {','.join(roots)}`, then `tickwork down` and `tickwork up`"
