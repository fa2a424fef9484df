"""The end of a flatten that the bot has requested, told to the person who asked for it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from shared.db.accounts import accounts
from shared.db.accounts.accounts import AccountRow
from shared.db.orders import flatten_requests
from shared.db.orders.flatten_requests import FlattenRequestRow
from shared.db.telegram import answers, followed_flattens
from shared.domain.accounts.account_name import shorten_account
from shared.overview.comparison import describe_uncompared
from shared.overview.holdings import describe_holdings
from workers.telegram.message_text import fit_lines

_KEPT_FOR = timedelta(days=1)  # while Telegram takes no answer


def tell_ended(connection: Connection, now: datetime) -> bool:
    """Write an answer for each flatten that has ended, or that is not flat after the time that it is followed for.

    Return whether one is left.
    """
    left = False
    for one in followed_flattens.lock_all(connection):
        requests = flatten_requests.list_by_ids(connection, one.flatten_request_ids)
        open_ones = [request for request in requests if request.flat_at is None and request.dropped_at is None]
        if not open_ones or now >= one.until_at:
            answers.add(connection, one.telegram_id, _describe(connection, requests, now), _KEPT_FOR)
            followed_flattens.remove(connection, one.id)
        else:
            left = True
    return left


def _describe(connection: Connection, requests: Sequence[FlattenRequestRow], now: datetime) -> str:
    known = {one.id: one for one in accounts.list_all(connection)}
    flat = [one for one in requests if one.flat_at is not None]
    left = [one for one in requests if one.flat_at is None]
    lines = [_describe_left(connection, one, known[one.account_id], now) for one in left]
    if left:
        lines.append(
            "What is not dropped goes on without an answer: /status shows what is held. Look at the venue too."
        )
    lines += [f"FLAT: {shorten_account(known[one.account_id].name)}, as the venue confirms." for one in flat]
    return fit_lines(lines, "`tickwork positions`", f"As of {now:%Y-%m-%d %H:%M:%S} UTC.")


def _describe_left(connection: Connection, request: FlattenRequestRow, account: AccountRow, now: datetime) -> str:
    held = describe_holdings(connection, [account], None)
    progress = request.progress or "no worker has begun yet"
    uncompared = describe_uncompared(account, now)
    doubt = "" if uncompared is None else f", but {uncompared}"
    return f"NOT FLAT: {shorten_account(account.name)}: {progress}. Held: {held}{doubt}."
