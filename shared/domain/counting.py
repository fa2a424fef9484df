"""Numbers with their nouns, in messages."""


def count_of(number: int, singular: str, plural: str | None = None) -> str:
    """Return a number with its noun, such as `1 order` and `2,000 orders`; `plural` is one not made with an s."""
    return f"{number:,} {singular if number == 1 else plural or f'{singular}s'}"
