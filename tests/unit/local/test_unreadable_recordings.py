"""A recording that cannot be read is refused in words."""

from pathlib import Path

import pytest

from cli.local.market import choose_market
from shared.config import load_settings
from shared.errors import SettingsError


def test_a_recording_that_is_not_there_is_said_in_words(tmp_path: Path) -> None:
    file = tmp_path / "mgcm2-1m-2022-04.csv"

    with pytest.raises(SettingsError, match=f"^--replay: cannot replay {file}: no such file or directory$"):
        choose_market(load_settings({}), replay=file)
