"""What a contract is called in what commands say to people."""

import pytest

from cli.console.cells import format_column
from shared.domain.market_data.contract_text import shorten_contracts
from shared.domain.market_data.symbol import parse_symbol


def test_a_sentence_has_short_names_but_where_something_is_to_be_typed() -> None:
    text = "CON.F.US.MNQ.Z26 is held, and CON.F.US.MES.H27: `tickwork positions close CON.F.US.MNQ.Z26` closes MNQ"

    assert "MNQ Z26 is held, and MES H27: `tickwork positions close CON.F.US.MNQ.Z26` closes MNQ" == (
        shorten_contracts(text)
    )
    assert "CON.F.US.mnq" == shorten_contracts("CON.F.US.mnq")


def test_the_name_is_that_of_the_root_which_commands_take() -> None:
    text = "CON.F.US.ENQ.Z26, CON.F.US.EP.H27 and CON.F.US.XYZ.Z26"

    assert "NQ Z26, ES H27 and XYZ Z26" == shorten_contracts(text)
    assert "NQ" == parse_symbol("NQ Z26").root.name


@pytest.mark.parametrize(
    "text",
    [
        "unknown contract id 'CON.F.US.FOO.H26': expected CON.F.US.<product>.<month><year>, as in CON.F.US.MNQ.Z26",
        "invalid symbol CON.F.US.MNQ.Z26X",
        "invalid symbol CON.F.US.MNQ.Z2",
        'the note "CON.F.US.MNQ.Z26"',
    ],
)
def test_what_was_typed_and_an_example_of_how_to_type_stay_as_they_are(text: str) -> None:
    assert text == shorten_contracts(text)


@pytest.mark.parametrize("column", ["error", "reason"])
def test_an_error_in_a_list_names_contracts_as_all_else(column: str) -> None:
    rows = [{column: "no quote of CON.F.US.MNQ.Z26"}]

    assert ["no quote of MNQ Z26"] == format_column(column, rows, is_wide=False)
    assert [rows[0][column]] == format_column(column, rows, is_wide=True)


def test_a_note_is_shown_as_it_was_written() -> None:
    note = "see CON.F.US.MNQ.Z26"

    assert [note] == format_column("note", [{"note": note}], is_wide=False)
