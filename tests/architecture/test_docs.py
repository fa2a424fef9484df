"""The pages under docs: reference pages say what the code says, links lead somewhere, every setting is listed."""

import re
from pathlib import Path

import pytest

from tests.architecture.packages import PACKAGES
from tests.reference_pages import FOLDER, all_tables, pages

ROOT = Path(__file__).resolve().parents[2]
# PG_VERSION is a file of Postgres.
SETTING = re.compile(r'"((?:TICKWORK|XDG|DATABASE|REDIS|BROKER|PG|VALKEY)_(?!VERSION)[A-Z_]+)"')
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("name", ["commands.md", "tables.md", "states.md", "json.md"])
def test_a_reference_page_says_what_the_code_says(name: str) -> None:
    assert pages()[name] == (FOLDER / name).read_text(), "run `make reference`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())

    assert [] == [link for link in links if "://" not in link and not (page.parent / link).exists()]


def test_the_index_links_every_page() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    pages = [page for folder in ("howto", "reference", "explanation") for page in (ROOT / "docs" / folder).glob("*.md")]

    assert pages
    assert [] == [page.name for page in pages if f"({page.parent.name}/{page.name})" not in index]


def test_every_setting_is_listed() -> None:
    sources = [file.read_text() for folder in PACKAGES for file in (ROOT / folder).rglob("*.py")]
    read = {name for source in sources for name in SETTING.findall(source)}
    listed = set(re.findall(r"`([A-Z][A-Z_]+)`", (FOLDER / "settings.md").read_text()))

    assert {"TICKWORK_HOME", "TICKWORK_HEARTBEAT_FILE", "XDG_DATA_HOME"} <= read
    assert set() == read - listed


def test_the_page_of_the_retention_names_every_table() -> None:
    rows = [line for line in (FOLDER / "retention.md").read_text().splitlines() if line.startswith("| `")]
    named = re.findall(r"`(\w+)`", " ".join(row.split("|")[1] for row in rows))

    assert sorted(named) == sorted(re.findall(r"^### (\w+)$", all_tables(), re.MULTILINE))
