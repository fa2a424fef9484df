"""What a person is told of a root that is not tracked."""

from collections.abc import Sequence


def describe_untracked(root: str, tracked: Sequence[str]) -> str:
    """Return that a root is not tracked, and how to track it beside those that are."""
    return f"{root} is not tracked, only {', '.join(tracked) or 'nothing'}: {suggest_tracking([*tracked, root])}"


def suggest_tracking(roots: Sequence[str]) -> str:
    """Return the commands after which exactly these roots are tracked."""
    return f"run `tickwork config set contracts {','.join(roots)}`, then `tickwork down` and `tickwork up`"
