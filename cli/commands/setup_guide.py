"""The guided start of `tickwork setup`: each step is done whole or not at all, and what is done is not done again."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from shlex import quote
from threading import Event

import click

from cli.client.first_accounts import wait_for_accounts
from cli.client.lookup import match_account
from cli.client.receiver_check import send_test_alert
from cli.client.stack import connect, load_stack_settings, read_running_state
from cli.commands.account_rules import change_rules
from cli.commands.hooks import add as add_hook
from cli.local.home.settings_writer import find_settings_file, remove_settings, store_settings
from cli.local.home.tracked_roots import require_known_roots
from shared.config import Settings, environment, load_settings, own_settings_file
from shared.db.accounts.accounts import AccountRow
from shared.db.alerts import hooks
from shared.db.risk.account_books import usable_book_of
from shared.errors import ProbeFailedError, RefusedError, SettingsError
from shared.setting_keys import BY_KEY, SettingKey

_VENUE_KEYS = ("venue_url", "venue_hubs_url", "venue_user", "venue_key")
_VENUE_URL, _HUBS_URL = "https://api.topstepx.com", "https://rtc.topstepx.com"
_POLL_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupChoices:
    """What was given as options; None: it is asked for, or its default is taken with `yes`."""

    is_venue: bool | None
    venue_url: str | None
    venue_hubs_url: str | None
    venue_user: str | None
    contracts: str | None
    account: str | None
    preset: str | None
    hook: str | None
    yes: bool


class SetupGuide:
    """Runs the steps in order and prints one line for each."""

    def __init__(self, ctx: click.Context, choices: SetupChoices) -> None:
        self._ctx = ctx
        self._choices = choices
        self._count = 0
        self._changed: set[str] = set()  # the settings that this run has changed

    def run(self) -> None:
        """Run every step; raise SettingsError or RefusedError at the first that cannot be done."""
        is_venue = self._choose_venue()
        self._store("settings", self._ask_settings(is_venue=is_venue), removed=() if is_venue else _VENUE_KEYS)
        self._require_stack(is_venue=is_venue)
        account = self._choose_account()
        self._choose_preset(account)
        self._add_hook(account)
        self._post_test_alert()
        click.echo(
            "Done. Next: paste the URL and a message (`tickwork hooks template`) into your alert. At the real venue, "
            "`tickwork setup live` then places a first practice order."
        )

    def _choose_venue(self) -> bool:
        known = bool(load_settings(with_secrets=False).venue.url)
        if self._choices.is_venue is not None or self._choices.yes:
            return known if self._choices.is_venue is None else self._choices.is_venue
        default = "venue" if known else "simulator"
        answer = click.prompt("Trade at", type=click.Choice(["simulator", "venue"]), default=default, err=True)
        return bool(answer == "venue")

    def _ask_settings(self, *, is_venue: bool) -> dict[SettingKey, str]:
        """Return the settings that differ from those of now; nothing is stored before all have been asked for."""
        found, now = own_settings_file(), load_settings(with_secrets=False)
        roots = ",".join(now.contracts) or "MNQ,MES"
        wanted = {"contracts": self._ask("Roots to track", self._choices.contracts, roots, require_known_roots)}
        if is_venue:
            wanted |= {
                "venue_url": self._ask("REST address", self._choices.venue_url, now.venue.url or _VENUE_URL),
                "venue_hubs_url": self._ask(
                    "Hubs' address", self._choices.venue_hubs_url, now.venue.hubs_url or _HUBS_URL
                ),
                "venue_user": self._ask("User name", self._choices.venue_user, now.venue.user),
            }
            key = BY_KEY["venue_key"]
            if not now.venue.key and key.variable not in found.in_keyring:
                wanted[key.key] = _ask_key()
        before = {BY_KEY[name]: found.values.get(BY_KEY[name].variable) for name in wanted}
        return {BY_KEY[name]: value for name, value in wanted.items() if before[BY_KEY[name]] != value}

    def _store(self, step: str, values: Mapping[SettingKey, str], *, removed: tuple[str, ...]) -> None:
        file = find_settings_file()
        gone = remove_settings(file, removed) if removed and file.exists() else []
        if values:
            store_settings(file, values)
        set_here = [name for name in removed if environment().get(BY_KEY[name].variable)]
        if set_here:
            raise SettingsError(f"{BY_KEY[set_here[0]].variable} is set in this shell and wins over the file: unset it")
        self._changed = {one.key for one in values}
        changed = [*(one.key for one in values), *(f"{name} removed" for name in gone)]
        self._say(step, f"{', '.join(changed)} in {file}" if changed else f"as they were, in {file}")
        for one in values:
            if environment().get(one.variable):
                click.echo(f"  {one.variable} is set in this shell and wins over the file: unset it to use {one.key}.")

    def _require_stack(self, *, is_venue: bool) -> None:
        if read_running_state() is None:
            click.echo("No stack runs: start it in another shell with `tickwork up` (or `make up`).")
            if self._choices.yes or not sys.stdin.isatty():
                raise SettingsError("the settings are stored: start the stack, then run `tickwork setup` again")
            click.echo("Waiting for it; Ctrl-C ends this, and `tickwork setup` goes on from here later.")
            _wait_until(lambda: bool((read_running_state() or {}).get("urls")))
        running = load_stack_settings()
        if running.venue.is_simulator == is_venue:
            where = "the simulator" if running.venue.is_simulator else "the real venue"
            raise SettingsError(
                f"the running stack is at {where}: stop it with `tickwork down`, start it again with `tickwork up`, "
                "and run `tickwork setup` again"
            )
        venue = "the simulator" if running.venue.is_simulator else running.venue.url
        self._say("stack", f"runs in {running.home}: receiver {running.receiver_url}, trading at {venue}")
        if outdated := self._list_outdated(running):
            click.echo(
                f"    It was started with {'; '.join(outdated)}: to use what is set now run `tickwork down`, then "
                "`tickwork up`."
            )

    def _list_outdated(self, running: Settings) -> list[str]:
        """Return what of the settings that setup asks for the running stack was started with, and is no longer set."""
        now = load_settings(with_secrets=False)
        found = []
        if running.contracts and set(running.contracts) != set(now.contracts or running.contracts):  # a replay has none
            found.append(f"contracts {','.join(running.contracts)}")
        if not running.venue.is_simulator:
            for name in ("url", "hubs_url", "user"):
                before = getattr(running.venue, name)
                if before != getattr(now.venue, name):
                    found.append(f"venue_{name} {before}")
            if "venue_key" in self._changed:
                found.append("another venue_key")
        return found

    def _choose_account(self) -> AccountRow:
        known = [one for one in wait_for_accounts() if one.can_trade]
        word = self._choices.account
        if word is None and len(known) > 1 and not self._choices.yes:
            for one in known:
                click.echo(f"  {one.id}  {one.name}")
            word = click.prompt("Which account (id or name)", err=True)
        account = match_account(known, word)
        self._say("account", f"{account.name} ({account.id})")
        return account

    def _choose_preset(self, account: AccountRow) -> None:
        book = usable_book_of(account)
        wanted = self._ask("Preset of its rules", self._choices.preset, book.name)
        if wanted != book.name:
            self._ctx.invoke(
                change_rules, account=str(account.id), changes=(), preset=wanted, reset=False, reason="setup",
                yes=self._choices.yes, as_json=False,
            )  # fmt: skip
        self._say("rules", f"{wanted}; `tickwork accounts rules {account.id}` lists them")

    def _add_hook(self, account: AccountRow) -> None:
        name = self._ask("Name of the first webhook", self._choices.hook, "tradingview")
        with connect() as connection:
            active = {
                hook.name
                for row in connection.execute(hooks.select_all())
                if not (hook := hooks.hook_of(row)).removed_at
            }
        if name in active:
            self._say("hook", f"{name} is there already; `tickwork hooks rotate {quote(name)}` gives it another URL")
            return
        self._ctx.invoke(add_hook, name=name, account_words=(str(account.id),))
        self._say("hook", f"{name} trades account {account.id}")

    def _post_test_alert(self) -> None:
        settings = load_stack_settings()
        try:
            for url in filter(None, (settings.receiver_url, settings.public_url)):
                self._say("test alert", send_test_alert(settings, url))
        except ProbeFailedError as error:
            raise RefusedError(f"the test alert failed: {error}; `tickwork doctor` says more") from None

    def _ask(
        self, question: str, given: str | None, default: str, check: Callable[[str], None] = lambda _: None
    ) -> str:
        """Return what was given, typed or is the default; `check` raises SettingsError, and a person is asked again."""
        if given is None and not self._choices.yes:
            return _prompt(question, default, check)
        answer = default if given is None else given.strip()
        if given is None and not default:
            raise SettingsError(f"{question} is not known: give it as an option, or leave --yes out")
        check(answer)
        return answer

    def _say(self, step: str, detail: str) -> None:
        self._count += 1
        click.echo(f"{self._count:2}. {step:10} {detail}")


def _prompt(question: str, default: str, check: Callable[[str], None]) -> str:
    """Return what a person types; ask again for what is refused."""

    def convert(text: str) -> str:
        try:
            check(text.strip())
        except SettingsError as error:
            raise click.UsageError(str(error)) from None
        return text.strip()

    answer: str = click.prompt(question, default=default or None, err=True, value_proc=convert)
    return answer


def _ask_key() -> str:
    """Return the venue's API key: typed, or from standard input; never from the command line."""
    if sys.stdin.isatty():
        key: str = click.prompt("API key of the venue", hide_input=True, err=True)
    else:
        key = sys.stdin.read()
    if not key.strip():
        raise SettingsError("the venue's API key is not known: pipe it in, or run `tickwork config set venue_key`")
    return key.strip()


def _wait_until(is_true: Callable[[], bool]) -> None:
    pause = Event()
    while not is_true():
        pause.wait(_POLL_S)
