"""`tickwork tokens`: the API tokens of programs that request jobs over HTTP."""

import re
import secrets
from collections.abc import Iterator, Sequence
from datetime import timedelta

import click

from cli.client.change_check import current_actor
from cli.client.stack import begin, connect, load_stack_settings
from cli.console.groups import CommandGroup
from cli.console.list_options import list_options
from cli.console.output import print_json
from cli.console.params import json_option
from cli.console.table import Table
from shared.db import api_tokens
from shared.db.accounts.audit import record_act
from shared.db.alerts.hooks import hash_token
from shared.ids import new_id
from shared.ledger.job_scope import list_jobs_in_scope

_TOKEN_BYTES = 32
_NEVER = "never"
_DEFAULT_DAYS = "90"
_MOST_DAYS = 3_650
TOKENS = Table(
    "API tokens",
    ("name", "job_names", "created_at", "expires_at", "revoked_at", "used_at"),
    spare=("created_at", "used_at"),
    is_list=True,
)


class _Lifetime(click.ParamType[timedelta | None]):
    """A number of days, or `never`, which is None."""

    name = "days"

    def convert(
        self, value: str | timedelta | None, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta | None:
        """Return the lifetime; fail when the value is neither."""
        if value is None or isinstance(value, timedelta):
            return value
        if value == _NEVER:
            return None
        if not re.fullmatch(r"[0-9]{1,4}", value) or not 1 <= int(value) <= _MOST_DAYS:
            self.fail(f"invalid lifetime {value!r}: expected 1 to {_MOST_DAYS} days, or {_NEVER}", param, ctx)
        return timedelta(days=int(value))


@click.group(name="tokens", cls=CommandGroup)
def command() -> None:
    """Add, list and revoke API tokens, with which programs request jobs."""


@command.command("add")
@click.argument("name")
@click.option(
    "--job",
    "scope",
    multiple=True,
    required=True,
    metavar="JOB",
    help="Job that the token may request, or all jobs of a subject, such as market_data.*. Repeat it for more.",
)
@click.option(
    "--expires",
    "valid_for",
    type=_Lifetime(),
    default=_DEFAULT_DAYS,
    show_default=True,
    metavar="DAYS",
    help=f"Days until the token expires, or `{_NEVER}`.",
)
@click.option("--json", "as_json", is_flag=True, help='{"token": ..., "url": ...} on stdout, for scripts.')
def add(name: str, scope: tuple[str, ...], valid_for: timedelta | None, *, as_json: bool) -> None:
    """Add an API token and print it. It is shown only once: only its hash is stored."""
    if not name.strip() or not name.isprintable():
        raise click.ClickException(f"invalid token name {name!r}: expected printable text, such as nightly-backfill")
    settings = load_stack_settings()
    if not settings.receiver_url:
        raise click.ClickException("the receiver's URL is unknown: start the stack, or set TICKWORK_RECEIVER_URL")
    scope = tuple(dict.fromkeys(scope))
    jobs = list_jobs_in_scope(scope)
    entries = [one.job_name() for one in jobs if one.is_entry]
    token = f"tw_{secrets.token_urlsafe(_TOKEN_BYTES)}"
    with begin() as connection:
        connection.execute(api_tokens.build_name_release(name))
        statement = api_tokens.build_insert(new_id(), name, hash_token(token), scope, valid_for)
        row = connection.execute(statement).one_or_none()
        if row is None:
            raise click.ClickException(
                f"a valid token is named {name!r} already: choose another name, or revoke that token first"
            )
        told = {"name": name, "job_names": scope, "expires_at": row.expires_at}
        record_act(connection, current_actor(), "token_add", None, before={}, after=told, reason=None)
    url = f"{settings.receiver_url.rstrip('/')}/v1/jobs"
    if as_json:
        print_json(
            {
                "name": name,
                "token": token,
                "url": url,
                "job_names": scope,
                "may_trade": entries,
                "expires_at": row.expires_at,
            }
        )
        return
    until = "never expires" if row.expires_at is None else f"expires at {row.expires_at:%Y-%m-%d %H:%M} UTC"
    click.echo(f"Token {name} may request {', '.join(scope)}. It {until}. Shown only once:\n\n  {token}\n")
    click.echo("\n".join(_list_advice(entries, url, jobs[0].job_name())))


@command.command("list")
@json_option
@list_options
def list_tokens(*, as_json: bool) -> None:
    """List the API tokens, also revoked and expired ones."""
    with connect() as connection:
        found = [api_tokens.token_of(row) for row in connection.execute(api_tokens.select_all())]
    rows = [{column: getattr(token, column) for column in TOKENS.columns} for token in found]
    if as_json:
        print_json({"tokens": rows})
    else:
        TOKENS.print(rows, empty="No API tokens yet: add one with `tickwork tokens add NAME --job JOB`.")


@command.command("revoke")
@click.argument("name")
@json_option
def revoke(name: str, *, as_json: bool) -> None:
    """Revoke an API token for good. Requests with it are then refused at once."""
    with begin() as connection:
        if connection.execute(api_tokens.build_revocation(name)).one_or_none() is None:
            raise click.ClickException(
                f"no token named {name!r} is left to revoke: `tickwork tokens list` lists the tokens"
            )
        record_act(connection, current_actor(), "token_revoke", None, before={}, after={"name": name}, reason=None)
    if as_json:
        print_json({"revoked": name})
    else:
        click.echo(f"Token {name} is revoked. Its name may be used again.")


def _list_advice(entries: Sequence[str], url: str, example: str) -> Iterator[str]:
    if entries:
        yield f"It may trade: {', '.join(entries)} can open a position. Keep the token as you keep your account.\n"
    yield "Request a job; `-H @-` keeps the token out of the list of processes:\n"
    yield (f"  printf 'Authorization: Bearer %s' \"$TOKEN\" | curl -sS -H @- '{url}/{example}' -d '{{...}}'\n")
    yield f"{url.removesuffix('/jobs')}/openapi.json has the arguments of every job."
