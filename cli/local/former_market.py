"""A former market that `up` opens again by its name, such as sim_seed_7-2."""

import re
from pathlib import Path

from cli.local.market import MarketChoice
from shared.errors import SettingsError

_SEEDED = re.compile(r"sim_seed_(-?\d+)")


def check_wanted_market(wanted: str, *, seed: int | None, is_fresh: bool, replay: Path | None) -> int | None:
    """Return the seed that the name of a seeded market has; raise SettingsError for options that contradict it."""
    if is_fresh:
        raise SettingsError("--market opens a former database and --fresh makes a new one: give one of them")
    found = _SEEDED.fullmatch(_base(wanted))
    if found is None or replay is not None:
        return seed
    if seed is not None and seed != int(found[1]):
        raise SettingsError(f"--market {wanted} has the seed {found[1]}: leave --seed {seed} out")
    return int(found[1])


def require_same_market(wanted: str, market: MarketChoice, *, is_embedded: bool) -> None:
    """Raise SettingsError if the options and settings choose another market, or another server, than is named."""
    if not is_embedded:
        raise SettingsError(
            "--market opens a database of the embedded server: unset DATABASE_URL, or set it to another"
        )
    if _base(wanted) != market.name:
        raise SettingsError(
            f"--market {wanted} is not {market.name}, the market of the other options and settings: `tickwork markets` "
            "lists the names; a recorded one needs its --replay FILE, and that of the real venue its address and login "
            "in the settings"
        )


def _base(name: str) -> str:
    """Return the name of the market, without the number of a --fresh: no market's name contains a dash."""
    text = name.removeprefix("tickwork_")
    return re.sub(r"(?<=.)-\d+$", "", text)
