"""Text of other people, such as the venue's, made harmless for a terminal and for a spreadsheet."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def escape_text(text: str) -> str:
    """Return text with its control characters escaped, but for line feeds and tabs."""
    return "".join(
        one if one.isprintable() or one in "\n\t" else one.encode("unicode_escape", "surrogatepass").decode()
        for one in text
    )


def escape_formula(text: str) -> str:
    """Return text that a spreadsheet takes for no formula: one that begins like it gets an apostrophe."""
    return f"'{text}" if text.startswith(_FORMULA) else text
