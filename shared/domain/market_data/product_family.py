"""Families of roots: the same product in several sizes, such as a mini and its micro."""

from shared.domain.market_data.contract import ROOTS

# Source: venue.md section 8.2, and its section 9 for the roots that the firm counts as micros.
_FAMILIES = (
    ("ES", "MES"),
    ("NQ", "MNQ"),
    ("YM", "MYM"),
    ("RTY", "M2K"),
    ("CL", "MCL", "QM"),
    ("NG", "MNG", "QG"),
    ("GC", "MGC"),
    ("SI", "SIL"),
    ("HG", "MHG"),
    ("6E", "M6E", "E7"),
    ("6B", "M6B"),
    ("6A", "M6A"),
)
_FAMILY_OF = {root: family[0] for family in _FAMILIES for root in family}
_MICROS = frozenset({"MES", "MNQ", "MYM", "M2K", "MCL", "MNG", "MGC", "SIL", "MHG", "M6E", "M6B", "M6A", "MBT", "MET"})


def family_of(root: str) -> str:
    """Return the name of a root's family, which is its largest root; a root without a family is its own."""
    return _FAMILY_OF.get(root, root)


def is_micro(root: str) -> bool:
    """Whether a root is a micro; QM, QG and E7 count as minis, although smaller, and so does an unknown root."""
    return root in _MICROS


def is_equity_index(root: str) -> bool:
    """Whether a root follows a share index; an unknown root counts as one, so that news windows block it."""
    known = ROOTS.get(root)
    return known is None or known.group == "equity"
