"""Position/searchOpen, closeContract and partialCloseContract, and Trade/search."""

from simulator import request_bodies, wire
from simulator.endpoints.rows import encode_rows
from simulator.turns import LongAnswer
from simulator.venue.user_view import UserView
from simulator.venue.venue_answer import ACCOUNT_NOT_FOUND


def search_open(user_view: UserView, body: request_bodies.AccountBody) -> LongAnswer[bytes]:
    """Answer with the open positions, one row per contract."""
    user_view.now()
    if user_view.account(body.account_id) is None:
        return wire.encode_envelope(ACCOUNT_NOT_FOUND.code, positions=None)
    return (yield from encode_rows("positions", user_view.state.holdings(body.account_id), wire.position_model))


def close(user_view: UserView, body: request_bodies.ClosePositionBody) -> bytes:
    """Close a position at market."""
    if user_view.account(body.account_id) is None:
        return wire.encode_envelope(ACCOUNT_NOT_FOUND.code)
    answer = user_view.venue.close(body.account_id, body.contract_id)
    return wire.encode_envelope(answer.code, answer.message)


def close_part(user_view: UserView, body: request_bodies.PartialCloseBody) -> bytes:
    """Close a part of a position at market."""
    if user_view.account(body.account_id) is None:
        return wire.encode_envelope(ACCOUNT_NOT_FOUND.code)
    answer = user_view.venue.close(body.account_id, body.contract_id, body.size)
    return wire.encode_envelope(answer.code, answer.message)


def search_trades(user_view: UserView, body: request_bodies.TradeSearchBody) -> LongAnswer[bytes]:
    """Answer with the fills of a window, newest first."""
    user_view.now()
    if user_view.account(body.account_id) is None:
        return wire.encode_envelope(ACCOUNT_NOT_FOUND.code, trades=None)
    start = wire.to_utc(body.start_timestamp) if body.start_timestamp else None
    end = wire.to_utc(body.end_timestamp) if body.end_timestamp else None
    rows = user_view.state.fills_of(body.account_id, start, end)
    return (yield from encode_rows("trades", rows[::-1], wire.fill_model))
