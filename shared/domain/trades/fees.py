"""The fees and commissions of a fill: what the simulator takes, and a backtest unless it is told other ones."""

from decimal import Decimal

# Dollars per contract and side: fees (exchange and NFA), commission. From the all-in round turns of venue.md section 9
# and the MNQ row it quotes; other roots take the usual figure for a mini or a micro, for which we have no source.
_KNOWN = {
    "ES": ("1.39", "0.50"),
    "NQ": ("1.39", "0.50"),
    "MES": ("0.36", "0.25"),
    "MNQ": ("0.36", "0.25"),
    "CL": ("1.51", "0.50"),
    "MCL": ("0.51", "0.25"),
    "SI": ("1.66", "0.50"),
    "SIL": ("1.11", "0.25"),
}
_MICROS = {"MYM", "M2K", "MNG", "MGC", "MHG", "MBT", "MET", "M6E", "M6B", "M6A"}


def fees_of(root: str, quantity: int) -> tuple[Decimal, Decimal]:
    """Return fees and commissions in dollars for one fill of `quantity` contracts."""
    fees, commission = _KNOWN.get(root) or (("0.36", "0.25") if root in _MICROS else ("1.39", "0.50"))
    return Decimal(fees) * quantity, Decimal(commission) * quantity
