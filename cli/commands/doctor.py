"""`tickwork doctor`: checks for problems that keep a stack from working, and suggests fixes."""

import platform
import shutil
import sys
from collections.abc import Callable
from functools import partial

import click
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from cli.client.clock_skew import check_database_clock, check_schedule
from cli.client.connection_check import check_connections
from cli.client.hook_store import describe_blind_hooks, load_sender_settings
from cli.client.live_checks import (
    CheckWarningError,
    check_account,
    check_brackets,
    check_clock,
    check_contract,
    list_live_accounts,
    list_roots,
)
from cli.client.locks import IDLE_FOR
from cli.client.monitor_view import check_monitor
from cli.client.optional_checks import list_optional_checks
from cli.client.receiver_check import send_test_alert
from cli.client.redis_checks import list_redis_checks
from cli.client.spool_view import describe_spool, read_spool_figures
from cli.client.stack import connect, load_settings_or_defaults, load_stack_settings
from cli.console.output import print_json
from cli.console.params import json_option
from cli.console.table import Table
from cli.local.home.folder import Home
from cli.local.home.lock import find_holder
from cli.local.home.ports import check_ports
from cli.local.home.state import read_state
from cli.local.processes.sleep_inhibitor import SleepState, describe_failure, describe_missing, find_command
from cli.local.servers.binaries import find_postgres_folder, find_valkey_server
from cli.local.servers.unix_user import find_unprivileged_user
from shared.config import Settings, environment, home_folder
from shared.db.accounts import accounts
from shared.db.accounts.installations import describe_read_only
from shared.db.market_data import market_clock
from shared.db.migrate import current_revision, newest_revision
from shared.db.risk.account_books import usable_book_of
from shared.db.upkeep.blocking_sessions import find_blocking, find_missing_grant, list_idle
from shared.db.upkeep.disk_space import list_low
from shared.domain.accounts.stage import Stage, describe_unknown, parse_stage
from shared.domain.risk.assumed_size import describe_assumed_size
from shared.domain.risk.disk_space import DiskSpace, find_fullest
from shared.errors import ProbeFailedError, SettingsError
from shared.log import mask_secrets
from shared.overview import stack_problems as problems
from shared.overview.copies_out_of_step import find_larger_copies
from shared.overview.feed_problem import find_feed_problem
from shared.overview.oversized_stops import find_oversized_stops
from shared.overview.paused_jobs import find_paused_jobs

_Check = Callable[[], str]
CHECKS = Table("Checks", ("name", "state", "detail"))
_AWAKE = (
    "turn automatic suspend off in the settings of the system, on a server with `sudo systemctl mask sleep.target "
    "suspend.target`; or, if it never sleeps, set TICKWORK_INHIBIT_SLEEP=off"
)


@click.command("doctor")
@json_option
def command(*, as_json: bool) -> None:
    """Check this computer and the running stack. Exit with status 1 if a check fails; a warning is no failure.

    It posts a test alert, which trades nothing, to the receiver and through TICKWORK_PUBLIC_URL. Where live orders are
    on, it also checks what would reject each of them: the clock, the account, its bracket setting and its contracts.
    """
    settings, invalid = load_settings_or_defaults()
    home = Home(home_folder(environment()))
    checks: dict[str, _Check] = {
        "python": lambda: f"{platform.python_version()} at {sys.executable}",
        "home": lambda: _check_home(home),
        "disk": lambda: _check_disk(home),
        "sleep": lambda: _check_sleep(home, is_wanted=settings.inhibit_sleep),
        "spool": lambda: _check_spool(home),
        "postgres program": lambda: str(find_postgres_folder(home, find_unprivileged_user())),
        "valkey program": lambda: str(find_valkey_server(home, find_unprivileged_user())),
    }
    if find_holder(home.root) is None:
        checks |= {
            "ports": lambda: check_ports(settings.prometheus_port),
            "stack": lambda: "none runs, so no alert is taken: start it with `tickwork up`",
        }
    else:
        checks |= {"database": _check_database, "transactions": _check_transactions}
    if invalid:
        checks["settings"] = partial(_fail, invalid)
    checks |= list_redis_checks(settings, is_running="database" in checks)
    found = [_run_check(name, check) for name, check in checks.items()]
    if any(one["name"] == "database" and one["state"] == "fine" for one in found):
        found += [_run_check(name, check) for name, check in _list_stack_checks().items() if name not in checks]
    if as_json:
        print_json({"checks": found})
    else:
        CHECKS.print(found, empty="Nothing was checked.")
    if any(one["state"] == "wrong" for one in found):
        raise SystemExit(1)


def _list_stack_checks() -> dict[str, _Check]:
    """Return the checks that need the database, among them each way by which alerts come in."""
    settings, warning = load_sender_settings()
    ways = {"receiver": settings.receiver_url, "public URL": settings.public_url}
    checks: dict[str, _Check] = {name: partial(send_test_alert, settings, url) for name, url in ways.items() if url}
    checks |= {
        "database clock": check_database_clock,
        "schedule": check_schedule,
        "connections": partial(_ask, check_connections),
        "account names": _check_account_names,
        "account sizes": _check_account_sizes,
        "disks of the stack": _check_disks,
        "installations": _check_installations,
        "risk monitor": partial(_ask, check_monitor),
        "feed": _expect_none(partial(find_feed_problem, settings=settings), "fine, or no market open", SettingsError),
        "jobs": _expect_none(problems.find_dead_jobs, "none is dead"),
        "market hours": _expect_none(problems.find_unknown_hours, "known"),
        "late fills": _expect_none(problems.find_unclosed_fills, "none is left open"),
        "stops of others": _expect_none(find_oversized_stops, "none is larger than its position"),
        "copies": _expect_none(find_larger_copies, "none holds more than its share"),
        "scheduled jobs": _expect_none(
            partial(find_paused_jobs, settings=settings), "none that safety needs is paused"
        ),
        **{name: partial(_ask, check) for name, check in list_optional_checks(settings).items()},
        "venue calls": _expect_none(problems.find_failing_calls, "few or none fail", SettingsError),
        **_list_trading_checks(settings),
    }
    return {"senders": _check_senders, **checks, **({"settings": partial(_fail, warning)} if warning else {})}


def _expect_none(find: problems.Find, fine: str, error: type[Exception] = CheckWarningError) -> _Check:
    return partial(_ask, problems.require_none(find, fine, error))


def _list_trading_checks(settings: Settings) -> dict[str, _Check]:
    """Return a check for each tracked contract, and those of what rejects every order of a live account."""
    with connect() as connection:
        if market_clock.read(connection) is None:
            return {}
        roots, live = list_roots(connection, settings), list_live_accounts(connection)
    checks: dict[str, _Check] = {
        f"contract {root}": partial(_ask, partial(check_contract, root=root)) for root in roots
    }
    if live:
        checks["clock"] = partial(check_clock, settings.venue.url)
    for one in live:
        checks |= {
            f"account {one.id}": partial(check_account, one),
            f"brackets {one.id}": partial(_ask, partial(check_brackets, account=one)),
        }
    return checks


def _ask(check: Callable[[Connection], str]) -> str:
    with connect() as connection:
        return check(connection)


def _fail(message: str) -> str:
    raise SettingsError(message)


def _run_check(name: str, check: _Check) -> dict[str, str]:
    try:
        return {"name": name, "state": "fine", "detail": check()}
    except CheckWarningError as error:
        return {"name": name, "state": "warning", "detail": str(error)}
    except (SettingsError, ProbeFailedError) as error:
        return {"name": name, "state": "wrong", "detail": str(error)}


def _check_home(home: Home) -> str:
    home.prepare()
    return str(home.root)


def _check_disk(home: Home) -> str:
    disk = DiskSpace(platform.node(), str(home.root), shutil.disk_usage(home.root).free)
    if disk.blocks_entries:
        raise SettingsError(disk.describe())
    if find_fullest([disk]) is not None:
        raise CheckWarningError(disk.describe())
    return f"{disk.free_bytes / 1e9:.0f} GB free"


def _check_sleep(home: Home, *, is_wanted: bool) -> str:
    if not is_wanted:
        return "not inhibited, as TICKWORK_INHIBIT_SLEEP is off"
    if find_holder(home.root) is None:
        if find_command(sys.platform) is None:
            raise CheckWarningError(
                f"{describe_missing(sys.platform)}, so `up` cannot keep this computer awake: {_AWAKE}"
            )
        return "`up` asks the system to inhibit it"
    found = (read_state(home) or {}).get("sleep", {"state": SleepState.ASKED, "reason": ""})
    if found["state"] == SleepState.FAILED:
        raise CheckWarningError(f"{describe_failure(found['reason'])}: {_AWAKE}")
    if found["state"] == SleepState.HELD:
        return "inhibited while the stack runs; a closed lid or an empty battery may still stop this computer"
    return "the system has not answered yet"


def _check_spool(home: Home) -> str:
    found = describe_spool(read_spool_figures(home.root))
    if found is not None:
        raise SettingsError(found)
    return "empty: every accepted alert is stored"


def _check_database() -> str:
    url = load_stack_settings().require_database()
    try:
        revision = current_revision(url)
    except SQLAlchemyError as error:
        raise SettingsError(
            f"{mask_secrets(url)} does not answer: {str(getattr(error, 'orig', error)).strip()}"
        ) from None
    if revision != newest_revision():
        raise SettingsError(
            f"the schema is at revision {revision}, this checkout needs {newest_revision()}: restart the stack"
        )
    return "answers, schema up to date"


def _check_senders() -> str:
    with connect() as connection:
        blind = describe_blind_hooks(connection, load_stack_settings())
    if blind:
        raise SettingsError(" ".join(blind))
    return "every list of senders can be checked"


def _check_disks() -> str:
    with connect() as connection:
        low = list_low(connection)
    if low:
        found = "; ".join(disk.describe() for disk in low)
        raise SettingsError(found) if low[0].blocks_entries else CheckWarningError(found)
    return "every disk that a worker checks has space"


def _check_account_names() -> str:
    with connect() as connection:
        known = accounts.list_all(connection)
    unknown = [one.name for one in known if parse_stage(one.name) is Stage.UNKNOWN]
    if unknown:
        raise CheckWarningError("; ".join(map(describe_unknown, unknown)))
    return "the stage of every account is known" if known else "no account is known yet"


def _check_account_sizes() -> str:
    with connect() as connection:
        known = [one for one in accounts.list_all(connection) if parse_stage(one.name) is not Stage.UNKNOWN]
    books = [(one, usable_book_of(one)) for one in known]
    found = [describe_assumed_size(one.id, one.name, one.preset, book) for one, book in books]
    if assumed := [line for line in found if line is not None]:
        raise CheckWarningError("; ".join(assumed))
    return "no rules apply for an assumed size"


def _check_installations() -> str:
    with connect() as connection:
        market = market_clock.read(connection)
        known = [] if market is None else accounts.list_all(connection)
        found = [
            f"{one.name} ({one.id}): {reason}"
            for one in known
            if market is not None and (reason := describe_read_only(one, market.clock.now())) is not None
        ]
    if found:
        raise CheckWarningError("; ".join(found))
    return "no other installation trades these accounts"


def _check_transactions() -> str:
    try:
        with connect() as connection:
            found = {one.pid: one for one in list_idle(connection, IDLE_FOR)}
            found |= {one.session.pid: one.session for one in find_blocking(connection) if one.grace is not None}
            grant = find_missing_grant(connection)
    except SQLAlchemyError:
        return "not checked, as the database does not answer"
    to_grant = f"run `{grant}` as a superuser, so that this role sees and ends what other roles' sessions lock"
    if found:
        message = (
            f"{'; '.join(map(str, found.values()))}: what waits for its locks, waits for it. Commit or roll back there"
        )
        raise SettingsError(f"{message}; {to_grant}" if grant else message)
    if grant:
        raise CheckWarningError(f"no session of this role sits in an open transaction; {to_grant}")
    return "no session sits in an open transaction"
