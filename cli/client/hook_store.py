"""The parts that the commands of webhooks share: a hook by its name, and the URL that senders use."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from shlex import quote

import click
from sqlalchemy import Connection

from cli.client.change_check import current_actor
from cli.client.stack import load_stack_settings
from shared.config import Settings, environment, load_settings
from shared.db.accounts.audit import record_act
from shared.db.alerts import hooks
from shared.db.alerts.hooks import Hook
from shared.db.alerts.probe_hook import PROBE_HOOK_ID
from shared.errors import SettingsError

TOKEN_BYTES = 32


def find_hook(connection: Connection, name: str) -> Hook:
    """Return the hook with this name, also a removed one; raise click.ClickException without one."""
    known = [hooks.hook_of(row) for row in connection.execute(hooks.select_all())]
    found = next((hook for hook in known if hook.name == name), None)
    if found is None:
        active = ", ".join(hook.name for hook in known if hook.removed_at is None) or "none yet"
        raise click.ClickException(f"no hook is named {name!r}: the hooks are {active}")
    return found


def require_active_hook(connection: Connection, name: str) -> Hook:
    """Return the hook with this name; raise click.ClickException without one, and for a removed one."""
    hook = find_hook(connection, name)
    if hook.removed_at is not None:
        raise click.ClickException(
            f"hook {name!r} was removed at {hook.removed_at:%Y-%m-%d %H:%M:%S} UTC: `tickwork hooks add {quote(name)}` "
            "adds another one of this name, with another URL"
        )
    return hook


def require_changeable_hook(connection: Connection, name: str) -> Hook:
    """Return the hook as `require_active_hook` does; raise click.ClickException also for the stack's own."""
    hook = require_active_hook(connection, name)
    if hook.id == PROBE_HOOK_ID:
        raise click.ClickException(
            f"hook {name!r} is the stack's own, and is not changed or removed: through it `tickwork doctor` and the "
            "schedule post the test alerts that show whether alerts arrive, and it takes no other alert"
        )
    return hook


def record_hook_act(
    connection: Connection,
    act: str,
    name: str,
    account_id: int,
    *,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> None:
    """Record an act on a hook; its token, its secrets and their URLs are never among the values."""
    told = {"hook": name, **(after or {})}
    record_act(connection, current_actor(), act, account_id, before=before or {}, after=told, reason=None)


def load_sender_settings() -> tuple[Settings, str | None]:
    """Return the settings of the stack with your public URL of now, if there is one; and a warning if they differ.

    A running stack keeps the settings that it was started with. A public URL that cannot be read is a warning too.
    """
    stack = load_stack_settings()
    try:
        typed = load_settings(with_secrets=False).public_url
    except SettingsError as error:
        return stack, str(error)
    if not typed or typed == stack.public_url:
        return stack, None
    where = "in this shell" if "TICKWORK_PUBLIC_URL" in environment() else "in settings.toml"
    warning = (
        f"TICKWORK_PUBLIC_URL is {typed} {where}, and {stack.public_url or 'not set'} in the running stack: "
        "restart the stack in this shell, so that its test alerts pass there too"
    )
    return replace(stack, public_url=typed), warning


def report_warning(warning: str | None, *, as_json: bool) -> dict[str, str | None]:
    """Return the warning as a part of a command's JSON; without `as_json` print it on stderr."""
    if warning is not None and not as_json:
        click.echo(f"tickwork: {warning}", err=True)
    return {"warning": warning}


def require_sender_url(settings: Settings) -> str:
    """Return the URL under which senders reach the receiver; raise click.ClickException if it is not known."""
    if not settings.sender_url:
        raise click.ClickException("the receiver's URL is unknown: start the stack, or set TICKWORK_PUBLIC_URL")
    return settings.sender_url


def describe_blind_hooks(connection: Connection, settings: Settings) -> list[str]:
    """Return a line for each hook whose list of senders refuses every alert, as `require_visible_senders` says."""
    if not settings.public_url or settings.proxy_count:
        return []
    found = [hooks.hook_of(row) for row in connection.execute(hooks.select_all())]
    return [
        f"Hook {hook.name} refuses every alert that comes through {settings.public_url}: its list of senders cannot be "
        "checked while TICKWORK_PROXIES is 0. Set it to the number of your proxies, mostly 1, and restart the stack."
        for hook in found
        if hook.settings.senders and hook.removed_at is None
    ]


def require_visible_senders(settings: Settings, senders: Sequence[str]) -> None:
    """Raise click.ClickException if the receiver sees only the proxy's address.

    Then a list of senders would refuse every alert.
    """
    if senders and settings.public_url and not settings.proxy_count:
        raise click.ClickException(
            f"invalid --sender {senders[0]!r}: behind {settings.public_url} the receiver sees the address of your "
            "tunnel or proxy, not the sender's, and would refuse every alert: set TICKWORK_PROXIES to the number of "
            "proxies that append to X-Forwarded-For, mostly 1, and restart the stack"
        )
