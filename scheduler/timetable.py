"""The timetable: the entries that seed the table `schedule`, where `tickwork schedule` changes them."""

from dataclasses import dataclass
from datetime import timedelta

from shared.ledger.job import Job
from shared.ledger.jobs.accounts import SnapshotAccounts
from shared.ledger.jobs.market_data import FetchBars, HealBars, PackBars, RefreshContracts
from shared.ledger.jobs.metrics import RollUp
from shared.ledger.jobs.notifications import SendNotifications
from shared.ledger.jobs.orders import ReconcileAccounts
from shared.ledger.jobs.strategies import EvaluateDue
from shared.ledger.jobs.trades import BookRoundTrips
from shared.ledger.jobs.upkeep import CheckDisk, DeleteOldRows, ProbeReceiver, SendHeartbeat


@dataclass(frozen=True, slots=True)
class ScheduleEntry:
    """One entry of the timetable; a request with an argument `slot` receives the slot it runs for."""

    name: str
    request: type[Job]
    clock: str
    every: timedelta
    missed: str = "run_once"
    only_when_open: bool = False


# Each start of beat brings changes of this into the table; what a person has set there stays.
TIMETABLE: tuple[ScheduleEntry, ...] = (
    ScheduleEntry("fetch_bars", FetchBars, "market", timedelta(minutes=1), only_when_open=True),
    ScheduleEntry("evaluate_strategies", EvaluateDue, "market", timedelta(minutes=5), only_when_open=True),
    ScheduleEntry("refresh_contracts", RefreshContracts, "machine", timedelta(hours=1)),
    ScheduleEntry("heal_bars", HealBars, "machine", timedelta(hours=6)),
    ScheduleEntry("pack_bars", PackBars, "machine", timedelta(hours=6)),
    ScheduleEntry("snapshot_accounts", SnapshotAccounts, "machine", timedelta(minutes=1)),
    ScheduleEntry("reconcile_accounts", ReconcileAccounts, "machine", timedelta(seconds=30)),
    ScheduleEntry("check_disk", CheckDisk, "machine", timedelta(minutes=1)),
    ScheduleEntry("book_round_trips", BookRoundTrips, "machine", timedelta(minutes=1)),
    ScheduleEntry("roll_up_metrics", RollUp, "machine", timedelta(minutes=1)),
    ScheduleEntry("send_heartbeat", SendHeartbeat, "machine", timedelta(minutes=1), missed="skip"),
    ScheduleEntry("send_notifications", SendNotifications, "machine", timedelta(seconds=15)),
    ScheduleEntry("probe_receiver", ProbeReceiver, "machine", timedelta(minutes=5)),
    ScheduleEntry("delete_old_rows", DeleteOldRows, "machine", timedelta(hours=1)),
)
