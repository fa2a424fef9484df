"""`tickwork hooks secret`: the secrets with which senders sign their requests to a webhook."""

import secrets
from collections.abc import Iterator, Sequence
from datetime import timedelta
from shlex import quote
from typing import BinaryIO
from uuid import UUID

import click

from cli.client.hook_store import (
    load_sender_settings,
    record_hook_act,
    report_warning,
    require_active_hook,
    require_changeable_hook,
    require_sender_url,
)
from cli.client.stack import begin, connect
from cli.console.groups import CommandGroup
from cli.console.list_options import list_options
from cli.console.output import print_json
from cli.console.params import SecretIdType, json_option
from cli.console.table import Table
from shared.db.alerts import hook_secrets
from shared.db.alerts.hook_secrets import HookSecret
from shared.domain.alerts.signing_secret import SignatureScheme, read_signing_secret, write_standard_secret
from shared.errors import RefusedError
from shared.ids import new_id

_SECRET_BYTES = 32
_LONGEST_FILE = 4096
_MOST_SECONDS = 30 * 24 * 3600
SECRETS = Table("Secrets", ("id", "scheme", "created_at", "expires_at"), is_list=True)


@click.group(name="secret", cls=CommandGroup)
def command() -> None:
    """Add, list and remove the secrets that sign requests to a webhook."""


@command.command("add")
@click.argument("name")
@click.option(
    "--scheme",
    type=click.Choice([scheme.value for scheme in SignatureScheme]),
    required=True,
    help="How the sender signs.",
)
@click.option(
    "--secret-file",
    type=click.File("rb"),
    metavar="FILE",
    help="File with the sender's secret, - for stdin; default: a new secret is made.",
)
@click.option("--json", "as_json", is_flag=True, help='{"url": ..., "secret": ...} on stdout, for scripts.')
def add(name: str, scheme: str, secret_file: BinaryIO | None, *, as_json: bool) -> None:
    """Add a secret to a webhook, and print it with the URL. It is shown only once; earlier ones stay valid."""
    settings, warning = load_sender_settings()
    sender_url = require_sender_url(settings)
    kind, secret_id = SignatureScheme(scheme), new_id()
    made = _make_secret(kind) if secret_file is None else None
    # Editors end a file with a line's end, which is no part of the secret.
    written = secret_file.read(_LONGEST_FILE).rstrip(b"\r\n") if secret_file else (made or "").encode()
    key = read_signing_secret(kind, written)
    with begin() as connection:
        hook = require_changeable_hook(connection, name)
        hook_secrets.add(connection, secret_id, hook.id, kind, key)
        told = {"secret_id": secret_id, "scheme": kind}
        record_hook_act(connection, "hook_secret_add", name, hook.account_id, after=told)
    url = f"{sender_url}/hooks/v1/{hook.id}"
    shown = {"id": secret_id, "scheme": scheme, "url": url} | report_warning(warning, as_json=as_json)
    if as_json:
        print_json(shown | {"secret": made})
    else:
        click.echo("\n".join(_describe_added(name, kind, url, made)))


@command.command("list")
@click.argument("name")
@json_option
@list_options
def list_secrets(name: str, *, as_json: bool) -> None:
    """List the secrets of a webhook, without what they are."""
    with connect() as connection:
        found = hook_secrets.list_of_hook(connection, require_active_hook(connection, name).id)
    rows = [{column: getattr(one, column) for column in SECRETS.columns} for one in found]
    if as_json:
        print_json({"secrets": rows})
    else:
        empty = f"No secrets yet: add one with `tickwork hooks secret add {quote(name)} --scheme standard-webhooks`."
        SECRETS.print(rows, empty=empty)


@command.command("remove")
@click.argument("name")
@click.argument("digits", metavar="ID", type=SecretIdType())
@click.option(
    "--keep",
    "keep_s",
    type=click.IntRange(0, _MOST_SECONDS),
    default=0,
    show_default=True,
    metavar="SECONDS",
    help="How long the secret is still valid.",
)
@json_option
def remove(name: str, digits: str, keep_s: int, *, as_json: bool) -> None:
    """Remove a secret of a webhook, by its id or the end of it. Requests that it signs are then refused."""
    after = timedelta(seconds=keep_s) if keep_s else None
    with begin() as connection:
        hook = require_active_hook(connection, name)
        found = hook_secrets.list_of_hook(connection, hook.id)
        secret_id = _find_secret(name, found, digits)
        hook_secrets.remove(connection, secret_id, after)
        told = {"secret_id": secret_id, "keep_seconds": keep_s}
        record_hook_act(connection, "hook_secret_remove", name, hook.account_id, after=told)
    if as_json:
        print_json({"removed": secret_id, "keep_s": keep_s})
    else:
        click.echo("\n".join(_describe_removed(name, secret_id, keep_s, found)))


def _find_secret(name: str, known: Sequence[HookSecret], digits: str) -> UUID:
    matches = [one.id for one in known if one.id.hex.startswith(digits) or one.id.hex.endswith(digits)]
    if len(matches) == 1:
        return matches[0]
    what = f"more than one secret {digits}: give the whole id" if matches else f"no secret {digits}"
    raise RefusedError(f"hook {name} has {what}; `tickwork hooks secret list {quote(name)} -o wide` lists its secrets")


def _make_secret(scheme: SignatureScheme) -> str:
    if scheme is SignatureScheme.STANDARD_WEBHOOKS:
        return write_standard_secret(secrets.token_bytes(_SECRET_BYTES))
    return secrets.token_hex(_SECRET_BYTES)


def _describe_added(name: str, scheme: SignatureScheme, url: str, made: str | None) -> Iterator[str]:
    yield f"Hook {name} takes requests that are signed as {scheme} has it, at\n\n  {url}\n"
    if made is not None:
        yield f"The secret, shown only once:\n\n  {made}\n"
    yield "The receiver knows it within a second. docs/howto/sign-alerts.md shows how to sign."


def _describe_removed(name: str, secret_id: UUID, keep_s: int, found: Sequence[HookSecret]) -> Iterator[str]:
    yield f"Secret {secret_id} of hook {name} {f'ends in {keep_s} s' if keep_s else 'is removed'}."
    if len(found) == 1:
        yield "The hook has no other: then every signed request to it is refused."
