"""NOTICE lists each package of the lock file under what its licence asks for."""

import re

from tests.notice import FILE, NOT_HERE, asks_for, is_installed_as_locked, licence_of, locked_packages

HINT = "run `make reference`"


def listed() -> dict[str, tuple[str, str]]:
    """Return licence and what it asks for by package, as NOTICE says."""
    found = {}
    for asks, lines in re.findall(r"^(\S[^\n]*):\n\n((?:  \S[^\n]*\n)+)", FILE.read_text(), re.MULTILINE):
        for line in lines.splitlines():
            name, licence = line.split(maxsplit=1)
            found[name] = (licence, asks[0].lower() + asks[1:])
    return found


def test_every_package_that_tickwork_runs_with_is_listed() -> None:
    assert (locked_packages(), HINT) == (sorted(listed()), HINT)


def test_each_is_under_what_the_licence_in_its_metadata_asks_for() -> None:
    here = {name: licence_of(name) for name in locked_packages() if is_installed_as_locked(name)}
    expected = {name: (licence or "", asks_for(licence)) for name, licence in here.items()}

    assert len(expected) > 50
    found = {name: told for name, told in listed().items() if told[1] != NOT_HERE}
    assert {name: told for name, told in expected.items() if name in found} == {
        name: told for name, told in found.items() if name in expected
    }
