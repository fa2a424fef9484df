"""Symbols in a trader's notations: what they mean, and what none of the venue's contracts is."""

import pytest

from shared.domain.market_data.contract import ROOTS
from shared.domain.market_data.symbol import exchange_of, parse_symbol

Z26, H27 = "CON.F.US.MNQ.Z26", "CON.F.US.MNQ.H27"


@pytest.mark.parametrize("text", ["MNQ", "mnq", "MNQ1!", "CME_MINI:MNQ1!", "CME:MNQ", "CME_MINI_DL:MNQ1!"])
def test_a_root_and_its_first_continuous_contract_mean_whatever_month_is_active(text: str) -> None:
    symbol = parse_symbol(text)

    assert (text, "MNQ") == (symbol.text, symbol.root.name)
    assert symbol.names(Z26)
    assert symbol.names(H27)
    assert not symbol.names("CON.F.US.MES.Z26")


NAMED = ("MNQH7", "MNQH27", "MNQH2027", "MNQ H27", "MNQ.H27", "CME_MINI:MNQH2027", "CON.F.US.MNQ.H27")


@pytest.mark.parametrize("text", NAMED)
def test_a_named_month_means_that_month_alone(text: str) -> None:
    symbol = parse_symbol(text)

    assert symbol.names(H27)
    assert not symbol.names(Z26)
    assert not symbol.names("CON.F.US.MNQ.H26")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("NYSE:CL", "NYSE does not list the future CL, expected NYMEX"),  # Colgate
        ("NASDAQ:HE", "expected CME"),
        ("NYSE:ES", "expected CME"),
        ("COMEX:MNQ1!", "expected CME"),
        ("CME:ZN1!", "expected CBOT"),
        ("NYMEX:GC1!", "expected COMEX"),
        ("BINANCE:MBT", "expected CME"),
        ("MNQ2!", "expected MNQ1! or MNQ"),
        ("MNQF27", "MNQ has no month F, expected one of HMUZ"),
        ("CON.F.US.MNQ.F27", "MNQ has no month F"),
        ("XYZ", "unknown symbol 'XYZ'"),
        ("CL!", "unknown symbol"),
        ("", "unknown symbol"),
    ],
)
def test_a_symbol_that_means_no_contract_of_the_venue_is_refused_with_a_hint(text: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint.replace("!", r"!")):
        parse_symbol(text)


@pytest.mark.parametrize(
    ("prefix", "root"),
    [("CBOT_MINI", "YM"), ("CBOT", "ZC"), ("NYMEX", "CL"), ("NYMEX_MINI", "MCL"), ("COMEX", "MGC"), ("NYMEX", "PL")],
)
def test_a_prefix_of_the_roots_exchange_is_taken(prefix: str, root: str) -> None:
    assert root == parse_symbol(f"{prefix}:{root}1!").root.name


def test_every_root_has_an_exchange() -> None:
    assert {"CME", "CBOT", "NYMEX", "COMEX"} == {exchange_of(root) for root in ROOTS.values()}
