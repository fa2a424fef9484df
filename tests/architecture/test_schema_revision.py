"""A change of the initial schema gets a revision of its own, so that a database of before is refused."""

import hashlib
import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "db" / "migrations"


def digest_of_sql() -> str:
    """Return the digest of the SQL files, with their names."""
    digest = hashlib.sha256()
    for file in sorted((FOLDER / "initial").glob("*.sql")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def test_the_initial_schema_is_the_one_of_its_revision() -> None:
    [file] = (FOLDER / "versions").glob("*_initial_schema.py")
    text = file.read_text()
    revision = re.search(r'^revision = "(\d+)"', text, re.MULTILINE)
    stored = re.search(r'^SQL_DIGEST = "(\w+)"', text, re.MULTILINE)

    assert revision is not None
    assert stored is not None
    assert file.name.startswith(f"{revision[1]}_")
    hint = f"migrations/initial/ has changed: raise the revision of {file.name}, and set SQL_DIGEST"
    assert (stored[1], hint) == (digest_of_sql(), hint)
