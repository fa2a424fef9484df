"""Wrong command lines: each message names the value, what is expected, and an example."""

import json
import sys

import click
import pytest

from cli.command_list import list_names
from cli.console.usage_errors import describe_usage_error
from cli.main import main, tickwork

A_DAY = "expected a day such as 2026-03-10, from 1970 to 2099"
AN_INSTANT = "expected a day or an instant, such as 2026-03-09T14:30, from 1970 to 2099"
EXAMPLE = "; example: `tickwork orders market MNQ buy 1 --stop 40`"


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("orders --watch abc", "invalid --watch 'abc': expected a number from 0.2 to 3,600, such as --watch 2"),
        ("orders --watch=0.01", "invalid --watch '0.01': expected a number from 0.2 to 3,600, such as --watch 2"),
        ("orders --watch 0", "invalid --watch '0': expected a number from 0.2 to 3,600, such as --watch 2"),
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
        ("jbos", "no command is named 'jbos': did you mean jobs?"),
        ("close MNQ", "no command is named 'close': did you mean `tickwork positions close MNQ`?"),
        ("orders buy", "no command is named 'buy': did you mean `tickwork orders market MNQ buy 1 --stop 40`?"),
        ("help orders", "no command is named 'help': did you mean `tickwork --help`?"),
        ("version", "no command is named 'version': did you mean `tickwork --version`?"),
        ("strategies start", "no command is named 'start': `tickwork strategies --help` lists the commands"),
        ("orders cancel --account", "no value for --account: expected an account, by id or name, such as 50KTC-6001"),
        ("trades --account", "no value for --account: expected an account, by id or name, such as 50KTC-6001"),
        ("trades --since", f"no value for --since: {A_DAY}"),
        ("trades --since abc", f"--since: invalid date 'abc': {A_DAY}"),
        ("trades --until 9999-12-31", f"--until: invalid date '9999-12-31': {A_DAY}"),
        ("trades stats --since 0001-01-01", f"--since: invalid date '0001-01-01': {A_DAY}"),
        ("bars show MNQ --since 0001-01-01", f"--since: invalid time '0001-01-01': {AN_INSTANT}"),
        ("bars export MNQ --to x.csv --until 9999-12-31", f"--until: invalid time '9999-12-31': {AN_INSTANT}"),
        ("export days --until 9999-12-31T23:59-14:00",
         f"--until: invalid time '9999-12-31T23:59-14:00': {AN_INSTANT}"),
        ("statement 0001-01", "invalid month '0001-01': expected a month such as 2026-11, from 1970 to 2099"),
        ("statement 9999-12", "invalid month '9999-12': expected a month such as 2026-11, from 1970 to 2099"),
        ("orders market", "missing SYMBOL: expected a contract, such as MNQ, MNQ1! or MNQZ6" + EXAMPLE),
        ("orders market buy MNQ", "invalid side 'MNQ': expected buy, long, sell or short" + EXAMPLE),
        ("orders market MNQ buy",
         "missing QUANTITY: expected contracts, or --risk DOLLARS" + EXAMPLE),
        ("orders market MNQ buy 1.5", "invalid QUANTITY '1.5': expected a whole number, at least 1" + EXAMPLE),
        ("orders market MNQ buy 1 --stop", "no value for --stop: expected a whole number from 1 to 999,999" + EXAMPLE),
        ("orders show",
         "missing ID: expected an id, or at least 8 of its first or last characters; usage: `tickwork orders show ID`"),
        ("trades note",
         ("missing TRADE: expected the number of a trade, as `tickwork trades` lists it; "
          "usage: `tickwork trades note TRADE TEXT`")),
        ("accounts news import /nowhere/bls.ics", "invalid FILE '/nowhere/bls.ics': it does not exist"),
        ("hooks add", "missing NAME: expected a name; usage: `tickwork hooks add NAME`"),
        ("bars show FOO", "unknown symbol 'FOO': expected a root such as MNQ, or MNQ1!, or CME_MINI:MNQ1!"),
        ("bars show MNQ --timeframe 30s",
         "--timeframe: timeframe '30s' is shorter than a minute: bars are kept from 1m on"),
        ("accounts balance-move 20001 5 --day x", "invalid --day 'x': expected a day such as 2026-03-09"),
        ("orders market MNQ buy -1", "tickwork orders market takes no value below zero such as -1" + EXAMPLE),
        ("config set max_quantity --no-keyrin",
         "tickwork config set has no option --no-keyrin: did you mean --no-keyring?"),
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


BAD = ("", "xx yy", "-1", "99999999999999999999", "FOO", "30s", "NYSE:CL", "/nowhere/x", "2026-13-01", "a,b", "1e5")


@pytest.mark.parametrize("name", list_names())
def test_no_invalid_value_is_called_so_twice(name: str) -> None:
    for context in contexts_of(name):
        for param in context.command.params:
            for value in BAD:
                try:
                    param.process_value(context, (value,) if param.multiple or param.nargs == -1 else value)
                except click.ClickException as error:
                    message = describe_usage_error(error)
                    assert "Invalid" not in message
                    assert 1 >= message.count("invalid "), message


def contexts_of(name: str) -> list[click.Context]:
    """Return the contexts of a command and of all its subcommands."""
    root = click.Context(tickwork, info_name="tickwork")
    command = tickwork.get_command(root, name)
    assert command is not None
    found = [click.Context(command, parent=root, info_name=name, **command.context_settings)]
    for context in found:
        if isinstance(context.command, click.Group):
            children = context.command.commands.items()
            found += [
                click.Context(one, parent=context, info_name=child, **one.context_settings) for child, one in children
            ]
    return found


@pytest.mark.parametrize("name", list_names())
def test_no_missing_value_is_described_by_its_own_name(name: str) -> None:
    for context in contexts_of(name):
        for param in context.command.params:
            if not getattr(param, "is_flag", False):
                message = describe_usage_error(click.MissingParameter(param=param, ctx=context))
                expected = message.partition(": expected ")[2].partition("; ")[0]
                assert expected not in {"", param.metavar, str(param.name).upper()}, message
