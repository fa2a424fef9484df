"""`tickwork hooks set|show|rotate|pause|resume|template`: what a hook does, and how that is changed."""

import json
from typing import Any

import pytest

from shared.clock import machine_now
from shared.db.market_data import contracts
from shared.domain.alerts.parse import parse_alert
from shared.domain.market_data.contract import Contract, root_of_contract
from tests.fixtures.processes import until
from tests.fixtures.receiver_process import ENTRY, StartReceiver
from tests.fixtures.venue import MNQ
from tests.integration.cli.test_cli_hooks import URL, Operator, operator

pytest_plugins = ("tests.fixtures.receiver",)
__all__ = ["operator"]


@pytest.fixture
def mine(operator: Operator) -> Operator:
    """The operator of a stack with one hook, `mine`."""
    operator.add_account(7)
    assert 0 == operator.run("add", "mine", "--json").exit_code
    return operator


def settings_of(operator: Operator, name: str = "mine") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(operator.run("show", name, "--json").stdout)["settings"]
    return found


def test_settings_are_given_when_a_hook_is_added(operator: Operator) -> None:
    operator.add_account(7)
    operator.run("add", "mine", "--map", "NQ=MNQ", "--map", "MES", "--size", "x0.5", "--dialect", "tradingview")

    assert {
        "symbols": {"NQ": "MNQ", "MES": "MES"},
        "size": "multiplier",
        "size_value": "0.5",
        "dialect": "tradingview",
    } == settings_of(operator)


@pytest.mark.parametrize(
    ("words", "stored"),
    [
        (("--size", "2"), {"size": "fixed", "size_value": "2"}),
        (("--size", "$100.50"), {"size": "risk", "size_value": "100.50"}),
        (("--size", "sent"), {}),
        (("--no-pyramiding",), {"has_pyramiding": False}),
        (("--cooldown", "60"), {"cooldown_s": 60}),
        (("--agreement",), {"is_agreement_required": True}),
        (("--default-stop", "40"), {"default_stop_ticks": 40}),
        (("--default-stop", "none"), {}),
        (("--max-age", "120"), {"max_age_s": 120}),
        (("--rate", "5"), {"max_per_second": 5}),
        (
            ("--sender", "tradingview", "--sender", "10.0.0.0/8"),
            {"senders": ["52.89.214.238", "34.212.75.30", "54.218.53.128", "52.32.178.7", "10.0.0.0/8"]},
        ),
        (
            ("--sender", "2001:db8::/32", "--sender", "2001:db8::1/128", "--sender", "::ffff:10.0.0.1"),
            {"senders": ["2001:db8::/32", "2001:db8::1", "10.0.0.1"]},
        ),
        (("--sender", "any", "--map", "any"), {}),
    ],
    ids=str,
)
def test_a_setting_is_stored_beside_the_others(mine: Operator, words: tuple[str, ...], stored: dict[str, Any]) -> None:
    mine.run("set", "mine", "--dialect", "text")
    result = mine.run("set", "mine", *words)

    assert (0, {"dialect": "text"} | stored) == (result.exit_code, settings_of(mine))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "nothing to change"),
        (("--size", "2.5"), "invalid --size '2.5': expected sent, contracts such as 2"),
        (("--size", "0"), "invalid --size '0'"),
        (("--size", "all"), "invalid --size 'all'"),
        (("--map", "NOPE"), "unknown root 'NOPE'"),
        (("--map", "NQ=MCL"), "a tick of NQ is 0.25 and one of MCL is 0.01"),
        (("--default-stop", "-3"), "expected ticks from 4"),
        (("--sender", "tradingviw"), "invalid --sender 'tradingviw'"),
        (("--sender", "10.0.0.1/8"), "invalid --sender"),
    ],
    ids=str,
)
def test_a_wrong_setting_changes_nothing(mine: Operator, words: tuple[str, ...], message: str) -> None:
    result = mine.run("set", "mine", *words)

    assert (1, True) == (result.exit_code, message in result.stderr)
    assert {} == settings_of(mine)


@pytest.mark.parametrize("command", ["add", "set"])
def test_senders_that_the_receiver_could_not_see_are_refused(mine: Operator, command: str) -> None:
    name = "mine" if command == "set" else "other"
    listed = (command, name, "--sender", "tradingview")
    refused = mine.run(*listed, public_url=URL)

    assert 1 == refused.exit_code
    assert f"invalid --sender '52.89.214.238': behind {URL} the receiver sees the address of your" in refused.stderr
    assert "set TICKWORK_PROXIES" in refused.stderr
    assert {} == settings_of(mine)
    assert ["mine"] == [hook["name"] for hook in json.loads(mine.run("list", "--json").stdout)["hooks"]]
    assert 0 == mine.run(*listed, public_url=URL, proxy_count=1).exit_code
    assert "52.89.214.238" in settings_of(mine, name)["senders"]


def test_a_hook_takes_any_sender_again_whatever_the_receiver_sees(mine: Operator) -> None:
    mine.run("set", "mine", "--sender", "tradingview")

    assert 0 == mine.run("set", "mine", "--rate", "5", public_url=URL).exit_code
    assert 0 == mine.run("set", "mine", "--sender", "any", public_url=URL).exit_code
    assert {"max_per_second": 5} == settings_of(mine)


@pytest.mark.parametrize("dialect", ["traderspost", "pickmytrade"])
def test_a_size_by_risk_is_refused_with_a_dialect_whose_entries_are_positions(operator: Operator, dialect: str) -> None:
    operator.add_account(7)
    pair = ("--dialect", dialect, "--size", "$100")
    added = operator.run("add", "mine", *pair)
    assert (1, []) == (added.exit_code, json.loads(operator.run("list", "--json").stdout)["hooks"])
    assert 0 == operator.run("add", "mine", "--size", "$100").exit_code
    by_size = settings_of(operator)
    refused = [operator.run("set", "mine", "--dialect", dialect)]
    assert by_size == settings_of(operator)
    assert 0 == operator.run("set", "mine", "--dialect", dialect, "--size", "2").exit_code
    refused.append(operator.run("set", "mine", "--size", "$100"))

    assert {"dialect": dialect, "size": "fixed", "size_value": "2"} == settings_of(operator)
    for result in (added, *refused):
        assert f"invalid --size '$100' of a hook with the dialect {dialect}" in result.stderr
        assert "expected sent, contracts such as 2, or a multiplier such as x2" in result.stderr


@pytest.mark.parametrize("words", [("set", "other", "--rate", "1"), ("rotate", "other"), ("pause", "other")])
def test_a_hook_that_is_not_there_is_named(mine: Operator, words: tuple[str, ...]) -> None:
    result = mine.run(*words)

    assert (1, True) == (result.exit_code, "no hook is named 'other'" in result.stderr)


def test_the_name_of_the_stacks_own_hook_is_taken(operator: Operator) -> None:
    operator.add_account(7)

    assert "and not probe" in operator.run("add", "probe").stderr


def test_a_rotated_url_works_beside_the_old_one(start_receiver: StartReceiver, operator: Operator) -> None:
    receiver = start_receiver()
    urls = [json.loads(operator.run("add", "mine", "--json", receiver_url=receiver.url).stdout)["url"]]
    urls.append(json.loads(operator.run("rotate", "mine", "--json", receiver_url=receiver.url).stdout)["url"])
    tokens = [url.rpartition("/")[2] for url in urls]

    until(lambda: receiver.post(ENTRY, tokens[1]).status_code == 202)
    assert 202 == receiver.post(ENTRY, tokens[0]).status_code
    assert 0 == operator.run("rotate", "mine", "--keep", "0", receiver_url=receiver.url).exit_code
    until(lambda: {receiver.post(ENTRY, token).status_code for token in tokens} == {404})


def test_a_second_rotation_says_that_the_url_before_the_last_has_ended(mine: Operator) -> None:
    first, second = mine.run("rotate", "mine").stdout, mine.run("rotate", "mine").stdout
    until_then = first.partition("The old one works until ")[2].strip().removesuffix(".")

    assert f"The one before it, which was to work until {until_then}, has ended." in second
    assert "has ended" not in first


def test_show_and_list_say_when_a_hook_was_reached(start_receiver: StartReceiver, operator: Operator) -> None:
    receiver = start_receiver()
    assert "never: no alert has come yet" in operator.run("show", "first").stdout
    assert "never" in operator.run("list").stdout
    receiver.post(ENTRY)

    assert "never" not in operator.run("show", "first").stdout
    (row,) = json.loads(operator.run("list", "--json").stdout)["hooks"]
    assert row["last_received_at"] is not None


def test_a_pause_keeps_its_first_time_and_ends_with_resume(mine: Operator) -> None:
    mine.run("pause", "mine")
    paused = json.loads(mine.run("show", "mine", "--json").stdout)["paused_at"]
    assert paused is not None
    assert paused == json.loads(mine.run("pause", "mine", "--json").stdout)["paused_at"]
    assert "paused" in mine.run("list").stdout
    mine.run("resume", "mine")

    assert json.loads(mine.run("show", "mine", "--json").stdout)["paused_at"] is None


FILLED = {
    "{{strategy.order.action}}": "sell", "{{strategy.order.contracts}}": "2", "{{strategy.order.id}}": "Long exit",
    "{{strategy.market_position}}": "short", "{{strategy.market_position_size}}": "1",
    "{{strategy.prev_market_position}}": "long", "{{ticker}}": "MNQ1!", "{{interval}}": "5",
    "{{timenow}}": "2026-11-23T14:30:00Z",
}  # fmt: skip


def test_every_template_is_an_alert_once_it_is_filled(mine: Operator) -> None:
    printed = mine.run("template", "mine", "--root", "MES").stdout
    templates = json.loads(mine.run("template", "--root", "MES", "--json").stdout)["templates"]
    alerts = []
    for template in templates:
        assert template["message"] in printed
        filled = template["message"]
        for placeholder, value in FILLED.items():
            filled = filled.replace(placeholder, value)
        alerts.append(parse_alert(filled.encode()))

    assert [("SELL", -1), ("SELL", None), ("BUY", None), ("SELL", None), ("CLOSE", None)] == [
        (alert.action, alert.target_position) for alert in alerts
    ]
    assert {"MES"} == {alert.root.name for alert in alerts}


def test_the_template_of_another_dialect_is_its_senders_own(mine: Operator) -> None:
    mine.run("set", "mine", "--dialect", "traderspost")

    assert "use the messages of that sender" in mine.run("template", "mine").stdout


def track(operator: Operator, *contract_ids: str) -> None:
    """Let these contracts be the ones that are traded."""
    with operator.engine.begin() as connection:
        roots = [(contract_id, root_of_contract(contract_id)) for contract_id in contract_ids]
        contracts.store(
            connection,
            [Contract(id_, "", root.name, root.tick_size, root.tick_value, is_active=True) for id_, root in roots],
        )
        contracts.track_only(connection, list(contract_ids), machine_now())


def roots_of_templates(operator: Operator, *words: str) -> set[str]:
    templates = json.loads(operator.run("template", *words, "--json").stdout)["templates"]
    return {json.loads(template["message"])["symbol"] for template in templates}


def test_a_template_names_a_root_that_its_hook_takes_and_trades(mine: Operator) -> None:
    track(mine, MNQ, "CON.F.US.MGC.Z26")
    mine.run("add", "mapped", "--map", "ES", "--map", "NQ=MNQ")
    mine.run("add", "idle", "--map", "ES")

    assert {"MGC"} == roots_of_templates(mine) == roots_of_templates(mine, "mine")
    assert {"NQ"} == roots_of_templates(mine, "mapped")
    assert {"ES"} == roots_of_templates(mine, "idle")
    assert {"NQ"} == roots_of_templates(mine, "mapped", "--root", "NQ")
    assert '"symbol": "NQ"' in mine.run("add", "another", "--map", "NQ=MNQ").stdout


@pytest.mark.parametrize(
    ("words", "expected"), [(("mapped", "--root", "MNQ"), "ES, NQ"), (("--root", "MES"), "MGC, MNQ")], ids=str
)
def test_a_template_for_a_root_that_no_alert_trades_is_refused(
    mine: Operator, words: tuple[str, ...], expected: str
) -> None:
    track(mine, MNQ, "CON.F.US.MGC.Z26")
    mine.run("add", "mapped", "--map", "ES", "--map", "NQ=MNQ")

    refused = mine.run("template", *words)

    assert 1 == refused.exit_code
    assert f"invalid --root '{words[-1]}': no alert on it would trade; expected one of {expected}" in refused.stderr
