"""The id of an installation: one for a home on one computer, for every database of it."""

from pathlib import Path

import pytest

from cli.local.home.folder import Home
from cli.local.home.installation import load_installation
from cli.local.processes.bootstrap import bootstrap
from shared.clock import live_clock
from shared.db.accounts import installations
from shared.db.engine import make_engine
from shared.db.market_data.market_clock import MarketRow
from shared.errors import SettingsError


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = Home(tmp_path / "home")
    found.prepare()
    return found


def test_the_id_of_an_installation_is_chosen_once(home: Home) -> None:
    chosen = load_installation(home)

    assert chosen == load_installation(home)
    assert 8 == len(chosen)


def test_a_home_that_came_from_another_computer_is_another_installation(home: Home) -> None:
    first = load_installation(home, "a-laptop")
    second = load_installation(home, "a-desktop")

    assert first != second
    assert second == load_installation(home, "a-desktop")


def test_a_computer_without_an_id_of_its_own_keeps_the_installation(home: Home) -> None:
    assert load_installation(home, "a-laptop") == load_installation(home, "")


@pytest.mark.parametrize("content", ["", "{", "{}", "[]", "7", '{"id": "x", "computer": ""}'])
def test_a_damaged_id_is_refused_and_never_replaced(home: Home, content: str) -> None:
    file = home.root / "installation.json"
    file.write_text(content)

    with pytest.raises(SettingsError, match="is damaged: restore it from a backup, or remove it"):
        load_installation(home)
    assert content == file.read_text()


def test_each_start_stores_the_id_of_its_home_in_its_database(database_url: str, redis_url: str) -> None:
    for chosen in ("0badcafe", "0badbeef"):
        bootstrap(database_url, redis_url, MarketRow("test", "live", live_clock()), chosen)
        engine = make_engine(database_url, program="test", pool_size=1)
        with engine.connect() as connection:
            assert chosen == installations.read_own(connection).id
        engine.dispose()
