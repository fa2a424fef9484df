"""What a contract is called in what commands say to people."""

from cli.console.cells import shorten_contracts


def test_a_sentence_has_short_names_but_where_something_is_to_be_typed() -> None:
    text = "CON.F.US.MNQ.Z26 is held, and CON.F.US.MES.H27: `tickwork positions close CON.F.US.MNQ.Z26` closes MNQ"

    assert "MNQ Z26 is held, and MES H27: `tickwork positions close CON.F.US.MNQ.Z26` closes MNQ" == (
        shorten_contracts(text)
    )
    assert "CON.F.US.mnq" == shorten_contracts("CON.F.US.mnq")
