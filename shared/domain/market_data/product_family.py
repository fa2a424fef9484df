"""Which roots are the same thing in another size: a mini and its micro move as one."""

from shared.domain.market_data.contract import ROOTS

# Source: venue.md section 8.2, and its section 9 for which of them the firm counts as micros.
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
    """Return the name of the family a root belongs to, its largest root's; a root of no family is its own."""
    return _FAMILY_OF.get(root, root)


def is_micro(root: str) -> bool:
    """Whether a root is a micro; QM, QG and E7 are smaller minis, and a root nobody knows is taken for a mini."""
    return root in _MICROS


def is_equity_index(root: str) -> bool:
    """Whether a root follows an index of shares; a root nobody knows is taken for one, as news stop those."""
    known = ROOTS.get(root)
    return known is None or known.group == "equity"
