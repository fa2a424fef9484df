"""What an account is called by: its id, its name, and the short name of lists."""


def shorten_account(name: str) -> str:
    """Return the first part of an account's name and its last four digits, such as `50KTC-6001`."""
    first, dash, rest = name.partition("-")
    return f"{first}-{rest[-4:]}" if dash and rest[-4:].isdigit() else name


def is_named(word: str, account_id: int, name: str) -> bool:
    """Whether a word is the account's id, its name or its short name, in any case."""
    return word.strip().lower() in {str(account_id), name.lower(), shorten_account(name).lower()}
