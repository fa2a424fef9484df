"""Position/searchOpen, closeContract and partialCloseContract, and Trade/search."""

from simulator import wire
from simulator.venue.venue import ACCOUNT_NOT_FOUND, Venue


def search_open(venue: Venue, body: wire.OfAccount) -> bytes:
    """Answer with the open positions, one row per contract."""
    now = venue.now()
    if body.account_id not in venue.book.accounts:
        return wire.envelope(ACCOUNT_NOT_FOUND.code, positions=None)
    models = []
    for holding in venue.book.holdings(body.account_id):
        contract = venue.market.contract(holding.contract_id, now)
        models.append(wire.position_model(holding, contract.name if contract else holding.contract_id))
    return wire.envelope(positions=models)


def close(venue: Venue, body: wire.ClosePosition) -> bytes:
    """Close a position at market."""
    verdict = venue.close(body.account_id, body.contract_id)
    return wire.envelope(verdict.code, verdict.message)


def close_part(venue: Venue, body: wire.ClosePartOfPosition) -> bytes:
    """Close a part of a position at market."""
    verdict = venue.close(body.account_id, body.contract_id, body.size)
    return wire.envelope(verdict.code, verdict.message)


def search_trades(venue: Venue, body: wire.TradeSearch) -> bytes:
    """Answer with the fills of a window, newest first."""
    venue.now()
    if body.account_id not in venue.book.accounts:
        return wire.envelope(ACCOUNT_NOT_FOUND.code, trades=None)
    start = wire.utc(body.start_timestamp) if body.start_timestamp else None
    end = wire.utc(body.end_timestamp) if body.end_timestamp else None
    rows = [
        fill
        for fill in reversed(venue.book.fills)
        if fill.account_id == body.account_id
        and (start is None or fill.filled_market_at >= start)
        and (end is None or fill.filled_market_at <= end)
    ]
    return wire.envelope(trades=[wire.fill_model(fill) for fill in rows])
