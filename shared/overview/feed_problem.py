"""What is wrong with the feed while a market is open: a silent feed, or a hub of the venue that it has lost."""

from sqlalchemy import Connection

from shared.config import Settings
from shared.db.market_data import contracts, market_clock
from shared.domain.market_data.calendar import assumed_calendar_of
from shared.domain.market_data.contract import root_of_contract
from shared.overview.feed_view import is_lost, is_silent, read_feed_figures

_EFFECTS = {
    "market": "no entry has a fresh quote and no price is watched",
    "user": "fills are seen late, by the reconcile",
}
_TO_DO = "`tickwork status` shows the program feed, `tickwork logs feed` says why, `tickwork restart feed` restarts it"


def find_feed_problem(connection: Connection, settings: Settings) -> str | None:
    """Return why the feed brings no prices or fills; None if it does, or while no tracked contract is traded."""
    if not settings.cache_url or not _is_session_open(connection):
        return None
    figures = read_feed_figures(settings.cache_url)
    if figures is None:
        reason, hubs = "it has reported nothing for minutes, or Redis does not answer", list(_EFFECTS)
    elif is_silent(figures):
        reason, hubs = f"it has been silent for {figures['age_s']:.0f} s", list(_EFFECTS)
    else:
        hubs = [name for name in _EFFECTS if is_lost(figures[name])]
        reason = f"the {' and the '.join(hubs)} hub{'' if len(hubs) == 1 else 's'} of the venue cannot be reached"
    return f"{reason}, so {', and '.join(_EFFECTS[name] for name in hubs)}: {_TO_DO}" if hubs else None


def _is_session_open(connection: Connection) -> bool:
    market = market_clock.read(connection)
    if market is None:
        return False
    now, traded = market.clock.now(), connection.execute(contracts.TRADED).scalars()
    return any(assumed_calendar_of(group).is_open(now) for group in {root_of_contract(one).group for one in traded})
