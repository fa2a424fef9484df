"""Contracts and their roots: the meaning of a symbol such as MNQ, and the venue's id for it."""

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

MONTHS = "FGHJKMNQUVXZ"  # January to December
_CONTRACT_ID = re.compile(rf"CON\.F\.US\.(?P<product>[A-Z0-9]+)\.(?P<month>[{MONTHS}])(?P<year>\d{{2}})")


@dataclass(frozen=True, slots=True)
class Root:
    """A family of contracts, such as MNQ. `product` is the venue's name for it; `tick_value` is dollars per tick."""

    name: str
    product: str
    tick_size: Decimal
    tick_value: Decimal
    months: str
    group: str  # its session calendar: equity, metals, energy, currency, rates, crypto, grains, livestock


@dataclass(frozen=True, slots=True)
class Contract:
    """One tradable future. `id` is the venue's, such as CON.F.US.MNQ.Z26."""

    id: str
    name: str
    root: str
    tick_size: Decimal
    tick_value: Decimal
    is_active: bool

    @property
    def point_value(self) -> Fraction:
        """The value in dollars of a price change of 1 in one contract: 2 for MNQ."""
        return Fraction(self.tick_value) / Fraction(self.tick_size)


def _parse_root(row: str) -> Root:
    name, product, tick_size, tick_value, months, group = row.split()
    return Root(name, product, Decimal(tick_size), Decimal(tick_value), MONTHS if months == "all" else months, group)


# Source: venue.md section 8.2, verified there against a 51-symbol Contract/search run of the live API;
# the agricultural listing months are general knowledge. Tick size and value are checked against the venue at run time.
ROOTS: dict[str, Root] = {
    root.name: root
    for root in map(
        _parse_root,
        """
        ES  EP   .25 12.50 HMUZ equity
        MES MES  .25 1.25 HMUZ equity
        NQ  ENQ  .25 5.00 HMUZ equity
        MNQ MNQ  .25 0.50 HMUZ equity
        YM  YM   1 5.00 HMUZ equity
        MYM MYM  1 0.50 HMUZ equity
        RTY RTY  .1 5.00 HMUZ equity
        M2K M2K  .1 0.50 HMUZ equity
        NKD NKD  5 25 HMUZ equity
        EMD EMD  .1 10 HMUZ equity
        CL  CLE  .01 10 all energy
        MCL MCLE .01 1 all energy
        QM  NQM  .025 12.50 all energy
        QG  NQG  .005 12.50 all energy
        NG  NGE  .001 10 all energy
        MNG MNG  .001 1 all energy
        RB  RBE  .0001 4.20 all energy
        HO  HOE  .0001 4.20 all energy
        GC  GCE  .1 10 GJMQVZ metals
        MGC MGC  .1 1 GJMQVZ metals
        SI  SIE  .005 25 HKNUZ metals
        SIL SIL  .005 5 HKNUZ metals
        HG  CPE  .0005 12.50 HKNUZ metals
        MHG MHG  .0005 1.25 HKNUZ metals
        PL  PLE  .1 5 FJNV metals
        MBT MBT  5 0.50 all crypto
        MET GMET .5 .05 all crypto
        6E  EU6  .00005 6.25 HMUZ currency
        M6E M6E  .0001 1.25 HMUZ currency
        6B  BP6  .0001 6.25 HMUZ currency
        M6B M6B  .0001 .625 HMUZ currency
        6A  DA6  .00005 5 HMUZ currency
        M6A M6A  .0001 1 HMUZ currency
        6J  JY6  .0000005 6.25 HMUZ currency
        E7  EEU  .0001 6.25 HMUZ currency
        6C  CA6  .00005 5 HMUZ currency
        6S  SF6  .00005 6.25 HMUZ currency
        6N  NE6  .00005 5 HMUZ currency
        6M  MX6  .00001 5 HMUZ currency
        ZT  TUA  .00390625 7.8125 HMUZ rates
        ZF  FVA  .0078125 7.8125 HMUZ rates
        ZN  TYA  .015625 15.625 HMUZ rates
        TN  TNA  .015625 15.625 HMUZ rates
        ZB  USA  .03125 31.25 HMUZ rates
        UB  ULA  .03125 31.25 HMUZ rates
        ZC  ZCE  .25 12.50 HKNUZ grains
        ZW  ZWA  .25 12.50 HKNUZ grains
        ZS  ZSE  .25 12.50 FHKNQUX grains
        ZM  ZME  .1 10 FHKNQUVZ grains
        ZL  ZLE  .01 6 FHKNQUVZ grains
        LE  GLE  .025 10 GJMQVZ livestock
        HE  HE   .025 10 GJKMNQVZ livestock
        """.strip().splitlines(),
    )
}
_BY_PRODUCT = {root.product: root for root in ROOTS.values()}


def name_root(product: str) -> str:
    """Return the name of the root that is a product of the venue, such as NQ for ENQ; an unknown product as it is."""
    root = _BY_PRODUCT.get(product)
    return product if root is None else root.name


def root_of_contract(contract_id: str) -> Root:
    """Return the root of a venue's contract id; raise ValueError with the id if it is unknown."""
    match = _CONTRACT_ID.fullmatch(contract_id)
    root = _BY_PRODUCT.get(match["product"]) if match else None
    if root is None:
        raise ValueError(
            f"unknown contract id {contract_id!r}: expected CON.F.US.<product>.<month><year>, as in CON.F.US.MNQ.Z26"
        )
    return root


def typed_symbol(contract_id: str) -> str:
    """Return a contract as a person types it, such as MNQZ26; raise ValueError for an unknown id."""
    return f"{root_of_contract(contract_id).name}{contract_id.rpartition('.')[2]}"


def contract_id(root: Root, month: str, year: int) -> str:
    """Return the venue's id of one contract: `month` is its letter, `year` has four digits."""
    return f"CON.F.US.{root.product}.{month}{year % 100:02d}"
