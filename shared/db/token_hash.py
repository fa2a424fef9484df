"""The hash under which the tokens of webhooks and programs are stored."""

import hashlib


def hash_token(token: str) -> bytes:
    """Return the SHA-256 of a token. A random 256-bit token needs no salt and no slow hash."""
    return hashlib.sha256(token.encode()).digest()
