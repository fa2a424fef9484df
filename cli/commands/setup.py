"""`tickwork setup`: a guided start, and with `live` a first practice order until the venue confirms flat."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import click

from cli.client.job_client import open_client
from cli.client.live_checks import CheckWarningError, list_roots
from cli.client.live_switch import ask_name
from cli.client.lookup import match_account
from cli.client.practice_order import STOP_TICKS, TARGET_TICKS, PracticeOrder, PracticeStep
from cli.client.risk_view import require_market
from cli.client.stack import connect, load_stack_settings
from cli.commands.setup_guide import SetupChoices, SetupGuide
from cli.console.groups import CommandGroup
from shared.db.accounts import accounts
from shared.db.accounts.accounts import AccountRow
from shared.domain.accounts.stage import Stage, describe_unknown, parse_stage
from shared.domain.market_data.product_family import is_micro
from shared.domain.market_data.symbol import parse_symbol
from shared.domain.market_data.tracking import suggest_tracking
from shared.errors import RefusedError, SettingsError, TickworkError


@click.group(name="setup", cls=CommandGroup, invoke_without_command=True)
@click.option("--venue/--simulator", "is_venue", default=None, help="Where to trade; default: asks.")
@click.option("--venue-url", metavar="URL", help="The venue's REST address.")
@click.option("--venue-hubs-url", metavar="URL", help="The address of its hubs.")
@click.option("--venue-user", metavar="NAME", help="Your user name there; the key is asked for, or read from stdin.")
@click.option("--contracts", metavar="ROOTS", help="Roots to track, such as MNQ,MES.")
@click.option("--account", metavar="ACCOUNT", help="Account, by id or name.")
@click.option("--preset", metavar="NAME", help="Preset of its rules; default: by its name and balance.")
@click.option("--hook", metavar="NAME", help="Name of the first webhook; default: tradingview.")
@click.option("--yes", is_flag=True, help="Ask nothing: take the options, what is set, and the defaults.")
@click.pass_context
def command(ctx: click.Context, /, **choices: Any) -> None:  # noqa: ANN401  # click's values, checked by SetupChoices
    """Set up Tickwork step by step.

    It asks where to trade, for account, rules and first webhook, and posts a test alert, which trades nothing. Run it
    again at any time: what is done already stays, and Ctrl-C leaves nothing half done. `setup live` places a first
    practice order.
    """
    if ctx.invoked_subcommand is not None:
        return
    if not choices["yes"] and not sys.stdin.isatty():
        raise SettingsError("there is no terminal to ask at: run it in one, or give the options and --yes")
    SetupGuide(ctx, SetupChoices(**choices)).run()


@command.command("live")
@click.option("--account", "account_word", metavar="ACCOUNT", help="Account, by id or name; default: asks for it.")
@click.option(
    "--contract",
    "symbol",
    metavar="SYMBOL",
    help="A micro, such as MNQ; default: the first tracked one of the setting contracts.",
)
@click.option(
    "--wait", "wait_s", type=click.FloatRange(min=0.1), default=30.0, show_default=True, metavar="SECONDS",
    help="Longest wait for each answer.",
)  # fmt: skip
@click.option("--yes", is_flag=True, help="At the simulator only: ask nothing.")
def live(account_word: str | None, symbol: str | None, wait_s: float, *, yes: bool) -> None:
    """Place a first practice order, guided step by step, and close it.

    One micro contract at the market with a stop and a target, through the normal path: it shows whether credentials,
    clock, session, live orders and the firm's bracket setting are right. Whatever fails, it closes what it opened.
    """
    settings = load_stack_settings()
    with connect() as connection:
        is_simulated = require_market(connection).kind != "live"
        known = accounts.list_all(connection)
        root = _choose_root(symbol, list_roots(connection, settings))
    _require_terminal(is_simulated=is_simulated, yes=yes)
    venue = "the simulator: no order reaches real money" if is_simulated else "the real venue"
    click.echo(f"A practice order at {venue}.")
    account = _choose_account(known, account_word, yes=yes)
    click.echo(
        f"It buys 1 {root} at the market on {account.name} ({account.id}) with a stop {STOP_TICKS} ticks below and a "
        f"target {TARGET_TICKS} ticks above the fill, shows both at the venue, and closes the position."
    )
    with _signals_as_interrupt(), open_client() as client:
        order = PracticeOrder(client, account, root, wait_s, is_simulated=is_simulated)
        guide = _Guide()
        for step in order.checks(asks=not yes):
            guide.run(step)
        stays_on = f"live orders of {account.name} stay on: `tickwork accounts live {account.id} off` turns them off"
        if not yes and not _is_confirmed():
            raise SettingsError("nothing was sent" if is_simulated else f"nothing was sent, and {stays_on}")
        try:
            if not yes:
                guide.run(order.check_again())
            _enter_and_close(guide, order)
        finally:
            if not is_simulated:
                click.echo(f"From now on {stays_on}.")
    click.echo("Done, at the simulator." if is_simulated else f"Done: this account trades, and is flat in {root}.")


def _enter_and_close(guide: "_Guide", order: PracticeOrder) -> None:
    try:
        for step in order.entry():
            guide.run(step)
    finally:  # whatever happened, and also on Ctrl-C: nothing stays open unsaid
        guide.run(order.close())


def _is_confirmed() -> bool:
    """Ask for the order; a person who leaves the question says no."""
    try:
        return click.confirm("Place the order now?")
    except click.Abort:
        return False


@contextmanager
def _signals_as_interrupt() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end the block as Ctrl-C does, so that they leave nothing open either."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Guide:
    """Runs steps and prints each with its number."""

    def __init__(self) -> None:
        self._count = 0

    def run(self, step: PracticeStep) -> None:
        """Run one step and print its outcome; exit with status 1 after one that failed."""
        self._count += 1
        try:
            outcome, detail = "OK", step.run()
        except CheckWarningError as warning:
            outcome, detail = "WARNING", str(warning)
        except (TickworkError, click.ClickException) as error:
            message = error.format_message() if isinstance(error, click.ClickException) else str(error)
            self._print(step.name, "FAILED", message)
            raise click.exceptions.Exit(1) from None
        self._print(step.name, outcome, detail)

    def _print(self, name: str, outcome: str, detail: str) -> None:
        with suppress(OSError):  # a terminal that is gone keeps nothing from being closed
            click.echo(f"{self._count:2}. {name:12} {outcome:8} {detail}")


def _require_terminal(*, is_simulated: bool, yes: bool) -> None:
    if yes and not is_simulated:
        raise SettingsError("--yes is for the simulator only: at the real venue a person answers each question")
    if not yes and not sys.stdin.isatty():
        raise SettingsError("there is no terminal to ask at: run it in one, or at the simulator add --yes")


def _choose_root(symbol: str | None, tracked: list[str]) -> str:
    if symbol is None:
        found = next(filter(is_micro, tracked), None)
        if found is None:
            raise RefusedError(f"no micro is tracked: {suggest_tracking([*tracked, 'MNQ'])}")
        return found
    try:
        root = parse_symbol(symbol).root.name
    except ValueError as error:
        raise RefusedError(str(error)) from None
    if not is_micro(root):
        raise RefusedError(f"invalid --contract {symbol!r}: expected a micro contract, such as MNQ")
    return root


def _choose_account(known: list[AccountRow], word: str | None, *, yes: bool) -> AccountRow:
    """Return the account that a person chose; one that is not for practice only if it is named, and named again."""
    practice = [one for one in known if one.can_trade and parse_stage(one.name) is Stage.PRACTICE]
    if word is None and not practice:
        raise RefusedError("no practice account may trade: name another one with --account, or ask the firm for one")
    if word is None and (yes or len(practice) == 1):
        return match_account(practice, None)
    if word is None:
        for one in practice:
            click.echo(f"  {one.id}  {one.name}")
        return match_account(practice, click.prompt("Which account (id or name)"))
    chosen = match_account(known, word)
    stage = parse_stage(chosen.name)
    if stage is Stage.UNKNOWN:
        raise RefusedError(describe_unknown(chosen.name))
    if stage is not Stage.PRACTICE and not yes:
        click.echo(f"{chosen.name} is no practice account: the order counts there, with what it loses and costs.")
        if ask_name() != chosen.name:
            raise RefusedError(f"expected {chosen.name}: nothing was sent")
    return chosen
