"""Wrong command lines: each message names the value, what is expected, and an example."""

import json
import sys

import pytest

from cli.main import main

EXAMPLE = "; example: `tickwork orders market MNQ buy 1 --stop 40`"


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("orders --watch abc", "invalid --watch 'abc': expected a number from 0.2 to 3,600, such as --watch 2"),
        ("orders --watch=0.01", "invalid --watch '0.01': expected a number from 0.2 to 3,600, such as --watch 2"),
        ("orders --limit abc", "invalid --limit 'abc': expected a whole number from 1 to 10,000, such as --limit 20"),
        ("orders --limit", "no value for --limit: expected a whole number from 1 to 10,000, such as --limit 20"),
        ("orders -o xml", "invalid --output 'xml': expected table, wide, json or csv"),
        ("orders --account", "no value for --account: expected an account, by id or name, such as 50KTC-6001"),
        ("orders --account 20001 cancel --all", "give --account 20001 after `orders cancel`"),
        (
            "orders --account 1 show 019c3c11",
            "leave --account 1 out: the id that `orders show` takes names the account",
        ),
        ("flatten MNQ", "tickwork flatten takes no argument 'MNQ' there: did you mean --contract MNQ?"),
        ("risk 20001", "tickwork risk takes no argument '20001' there: did you mean --account 20001?"),
        ("quotes MNQ", "tickwork quotes takes no argument 'MNQ' there: `tickwork quotes --help` shows what it takes"),
        ("bars gap", "no command is named 'gap': did you mean gaps?"),
        ("orders cancel --account", "no value for --account: expected an account, by id or name, such as 50KTC-6001"),
        ("trades --account", "no value for --account: expected an account, by id or name, such as 50KTC-6001"),
        ("trades --since", "no value for --since: expected a day such as 2026-03-10"),
        ("trades --since abc", "--since: invalid date 'abc': expected a day such as 2026-03-10"),
        ("orders market", "missing SYMBOL: expected a contract, such as MNQ, MNQ1! or MNQZ6" + EXAMPLE),
        ("orders market buy MNQ", "invalid side 'MNQ': expected buy, long, sell or short" + EXAMPLE),
        ("orders market MNQ buy",
         "missing QUANTITY: expected contracts, or --risk DOLLARS" + EXAMPLE),
        ("orders market MNQ buy 1.5", "invalid QUANTITY '1.5': expected a whole number, at least 1" + EXAMPLE),
        ("orders market MNQ buy 1 --stop", "no value for --stop: expected a whole number from 1 to 999,999" + EXAMPLE),
        ("orders show",
         "missing ID: expected an id, or at least 8 of its first or last characters; usage: `tickwork orders show ID`"),
        ("hooks add", "missing NAME: expected a name; usage: `tickwork hooks add NAME`"),
        ("up --seed x", "invalid --seed 'x': expected a whole number"),
        ("orders --lmit 3", "tickwork orders has no option --lmit: did you mean --limit?"),
        ("positions --account",
         ("tickwork positions has no option --account: `tickwork positions --help` lists its options; "
          "`tickwork positions close`, `tickwork positions breakeven`, `tickwork positions trail` have one")),
    ],
)  # fmt: skip
def test_the_message_names_the_value_what_is_expected_and_an_example(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str, message: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["tickwork", *typed.split()])

    with pytest.raises(SystemExit) as end:
        main()

    assert (2, f"tickwork: {message}\n") == (end.value.code, capsys.readouterr().err)


@pytest.mark.parametrize(
    "typed",
    ["orders show 1 --json", "orders -o json --limit x", "orders --output=json --limit x", "orders -ojson --limit x"],
)
def test_an_error_is_json_where_json_is_asked_for(
    typed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["tickwork", *typed.split()])
    with pytest.raises(SystemExit):
        main()

    assert list(json.loads(capsys.readouterr().out)) == ["error"]
