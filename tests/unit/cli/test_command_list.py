"""The list of commands: what `--help` says without importing them, and what a mistyped name leads to."""

import re
import subprocess
import sys
from importlib import import_module

import click
import pytest
from click.shell_completion import get_completion_class
from click.testing import CliRunner

from cli.command_list import ALIASES, SECTIONS, list_names
from cli.main import main, tickwork


def load(name: str) -> click.Command:
    command: click.Command = import_module(f"cli.commands.{name}").command
    return command


def run(*arguments: str) -> str:
    return CliRunner().invoke(tickwork, list(arguments)).output


@pytest.mark.parametrize("name", list_names())
def test_the_help_of_all_commands_is_the_first_sentence_of_each(name: str) -> None:
    (line,) = (commands[name] for commands in SECTIONS.values() if name in commands)

    assert line == " ".join((load(name).help or "").split()).split(". ")[0].rstrip(".") + "."


def test_help_lists_every_command_in_its_section_and_imports_none() -> None:
    code = "import sys; from cli.main import main\ntry: main()\nfinally: print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True)

    shown, _, modules = done.stdout.rpartition("\n[")
    assert [f"{section}:" for section in SECTIONS] == re.findall(r"^(?!Usage|Options)\S.*:$", shown, re.MULTILINE)
    assert [] == [name for name in list_names() if f"\n  {name}" not in shown]
    assert "sqlalchemy" not in modules
    assert "cli.commands" not in modules


def test_every_alias_is_of_a_command() -> None:
    assert set(ALIASES.values()) <= set(list_names())
    assert not set(ALIASES) & set(list_names())


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        (("ordes",), "no command is named 'ordes': did you mean orders?"),
        (("orders", "cancle"), "no command is named 'cancle': did you mean cancel?"),
        (("accounts", "rule"), "no command is named 'rule': did you mean rules"),
        (("hooks", "secret", "lst"), "no command is named 'lst': did you mean list?"),
        (("xyzzy",), "no command is named 'xyzzy': `tickwork --help` lists the commands"),
    ],
)
def test_a_wrong_name_gets_the_nearest_one(typed: tuple[str, ...], hint: str) -> None:
    found = CliRunner().invoke(tickwork, list(typed))

    assert 2 == found.exit_code
    assert hint in " ".join(found.output.split())


@pytest.mark.parametrize(
    ("typed", "usage"),
    [
        (("order", "--help"), "tickwork order [OPTIONS]"),
        (("orders", "ls", "--help"), "tickwork orders [OPTIONS]"),
        (("orders", "list", "--help"), "tickwork orders [OPTIONS]"),
        (("hooks", "ls", "--help"), "tickwork hooks list [OPTIONS]"),
        (("schedule", "ls", "--help"), "tickwork schedule list [OPTIONS]"),
    ],
)
def test_what_people_type_for_a_list_is_taken(typed: tuple[str, ...], usage: str) -> None:
    assert usage in run(*typed)


def test_a_group_that_lists_shows_its_help_when_asked() -> None:
    assert "Commands:" in run("hooks", "--help")


@pytest.mark.parametrize("name", list_names())
def test_the_help_of_a_group_cuts_no_line_of_its_commands(name: str) -> None:
    assert not re.search(r"\.\.\.$", run(name, "--help").partition("Commands:")[2], re.MULTILINE)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_of_the_shell(shell: str) -> None:
    shown = run("completion", shell)

    assert shown.startswith("# To keep it, add to ")
    assert f"_TICKWORK_COMPLETE={shell}_complete" in shown


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("notify ", {"add", "kinds", "list", "remove", "test"}),
        ("alerts sh", {"show"}),
        ("hooks secret ", {"add", "list", "remove"}),
        ("bars ga", {"gaps"}),
        ("orders ", {"cancel", "modify", "show"}),
        ("alerts --verd", {"--verdict"}),
        ("alerts --verdict acc", {"accepted"}),
        ("bars MNQ --lim", {"--limit"}),
    ],
)
def test_a_shell_completes_the_subcommands_and_the_options_of_the_default_list(
    shell: str, typed: str, expected: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert expected <= complete(shell, typed, monkeypatch)


def test_completion_after_a_mistyped_name_offers_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"show"} <= complete("bash", "alerts shw ", monkeypatch)


def complete(shell: str, typed: str, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the values that a shell gets for what was typed after `tickwork`."""
    words, incomplete = typed.split(), typed.rpartition(" ")[2]
    monkeypatch.setenv("COMP_WORDS", " ".join(["tickwork", *words]))
    monkeypatch.setenv("COMP_CWORD", incomplete if shell == "fish" else str(len(words) + (not incomplete)))
    found = get_completion_class(shell)
    assert found is not None
    lines = found(tickwork, {}, "tickwork", "_TICKWORK_COMPLETE").complete().splitlines()
    return set(lines[1::3]) if shell == "zsh" else {re.split(r"[,\t]", line)[1] for line in lines}


def test_an_unknown_shell_is_refused() -> None:
    assert "is not one of 'bash', 'zsh', 'fish'" in run("completion", "csh")


def test_a_fault_is_one_sentence_and_its_traceback_behind_an_option(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("cli.commands.completion.get_completion_class", fail)
    monkeypatch.setattr(sys, "argv", ["tickwork", "completion", "bash"])
    with pytest.raises(SystemExit):
        main()
    assert (
        "tickwork: division by zero (ZeroDivisionError): a fault of Tickwork; --traceback shows where\n"
        == capsys.readouterr().err
    )
    monkeypatch.setattr(sys, "argv", ["tickwork", "completion", "bash", "--traceback"])
    with pytest.raises(ZeroDivisionError):
        main()
