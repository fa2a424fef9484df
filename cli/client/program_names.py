"""Program names as a person types them."""

from collections.abc import Collection
from difflib import get_close_matches

from shared.errors import RefusedError


def require_program(word: str, known: Collection[str]) -> str:
    """Return the known program with this name; raise RefusedError with the nearest names, or all of them."""
    if word in known:
        return word
    near = get_close_matches(word, known, n=1, cutoff=0.5) or [name for name in sorted(known) if word in name]
    hint = f"did you mean {' or '.join(near)}?" if near else f"expected one of {', '.join(sorted(known))}"
    raise RefusedError(f"unknown program '{word}': {hint}")
