"""The follower accounts of a webhook as commands take and show them, each with its copy ratio."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import click
from sqlalchemy import Connection

from cli.client.lookup import match_account
from shared.db.accounts.accounts import AccountRow
from shared.db.orders import positions
from shared.domain.alerts.copy_ratio import SAME, parse_ratio
from shared.domain.market_data.contract_text import shorten_contract
from shared.domain.orders.position import show_position
from shared.errors import RefusedError

follower_option = click.option(
    "--follower",
    "follower_words",
    multiple=True,
    metavar="ACCOUNT[:RATIO]",
    help="An account that trades its alerts too, with its sizes times RATIO: 20002:0.5. Repeat it; the ratio of a "
    "follower may be changed.",
)


def match_followers(known: Sequence[AccountRow], words: Sequence[str], own_account_id: int) -> dict[int, Decimal]:
    """Return the ratio of each account that the words name; raise ClickException for an invalid one."""
    found = {}
    for word in words:
        name, _, ratio = word.partition(":")
        account = match_account(known, name)
        if account.id == own_account_id:
            raise click.ClickException(
                f"invalid --follower {word!r}: account {account.id} is the hook's own, expected another one; `--size` "
                "changes the sizes of them all"
            )
        try:
            found[account.id] = SAME if name == word else parse_ratio(ratio)
        except RefusedError as error:
            raise click.ClickException(f"invalid --follower {word!r}: {error}") from None
    return found


def describe_followers(ratios: Mapping[int, Decimal]) -> str | None:
    """Return follower accounts as one line, those with a ratio of their own as `20002 x0.5`; None without any."""
    return ", ".join(str(one) if ratio == SAME else f"{one} x{ratio:f}" for one, ratio in ratios.items()) or None


def describe_holdings(connection: Connection, *account_ids: int) -> str | None:
    """Return what accounts hold, such as `+2 MNQ Z26`; None while all are flat."""
    held = positions.list_in_accounts(connection, account_ids)
    return ", ".join(f"{show_position(one.quantity)} {shorten_contract(one.contract_id)}" for one in held) or None


def warn_of_holdings(connection: Connection, account_id: int) -> str | None:
    """Return that a follower whose ratio is new holds what that has not sized; None while it is flat."""
    held = describe_holdings(connection, account_id)
    if held is None:
        return None
    return (
        f"account {account_id} holds {held}, which its new ratio has not sized: alerts that close a part may leave a "
        "rest of it, until one closes all"
    )
