"""The schemas of the commands' JSON: one for each command with --json, strict, and with the words of the code."""

from collections.abc import Iterator
from enum import Enum
from typing import Any

import jsonschema_rs
import pytest

from cli.local.processes.supervisor import ChildState
from shared.domain.accounts.stage import Stage
from shared.domain.accounts.trading_state import TradingState
from shared.domain.alerts.alert import AlertAction
from shared.domain.alerts.hook_settings import HookSettings
from shared.domain.alerts.signing_secret import SignatureScheme
from shared.domain.orders.approval import ApprovalState
from shared.domain.orders.order import Direction, OrderState, OrderType, Origin, Role, Side
from shared.domain.risk.findings import RuleAction
from shared.domain.upkeep.slots import Missed
from shared.fleets import Queue
from shared.overview.alarms import AlarmCode
from tests.fixtures.json_schemas import ERROR, FOLDER, SHARED, check_output, check_value, name_command, read_schema
from tests.reference_pages import JOB_STATES, all_commands

FILES = sorted(file.stem for file in FOLDER.glob("*.json"))
DEFINITIONS: dict[str, Any] = read_schema(SHARED)["$defs"]
ENUMS: dict[str, type[Enum]] = {
    "side": Side, "direction": Direction, "order_type": OrderType, "order_state": OrderState, "role": Role,
    "origin": Origin, "queue": Queue, "trading_state": TradingState, "stage": Stage, "approval_state": ApprovalState,
    "scheme": SignatureScheme, "missed": Missed, "process_state": ChildState,
}  # fmt: skip


def list_parts(part: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every schema inside a schema, with its place."""
    if isinstance(part, dict):
        yield place, part
    items = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for name, inner in items:
        yield from list_parts(inner, f"{place}/{name}")


def is_nullable(part: dict[str, Any]) -> bool:
    return "null" in part.get("type", ()) or {"type": "null"} in part.get("anyOf", ()) or None in part.get("enum", ())


def test_every_command_with_json_has_a_schema_and_no_schema_is_left_over() -> None:
    commands = {
        path.removeprefix("tickwork ").replace(" ", "-")
        for path, command, _ in all_commands()
        if any("--json" in option.opts or "json" in getattr(option.type, "choices", ()) for option in command.params)
    }

    assert commands == set(FILES) - {ERROR, SHARED}


@pytest.mark.parametrize("name", FILES)
def test_a_schema_is_valid_takes_no_other_field_and_says_what_null_means(name: str) -> None:
    schema = read_schema(name)
    objects = [(place, part) for place, part in list_parts(schema) if part.get("type") == "object"]
    open_objects = [place for place, part in objects if "properties" in part and "additionalProperties" not in part]
    silent = [
        place
        for place, part in list_parts(schema)
        if is_nullable(part) and place.rpartition("/")[0].endswith("/properties")
        and "null" not in part.get("description", "").lower()
    ]  # fmt: skip

    jsonschema_rs.meta.validate(schema)
    assert [] == [place for place in open_objects if name != SHARED]
    assert [] == silent


def test_a_definition_that_commands_add_fields_to_is_closed_by_them() -> None:
    open_names = {
        name for name, part in DEFINITIONS.items() if "properties" in part and "additionalProperties" not in part
    }
    uses = [
        (name, place, part)
        for name in FILES
        for place, part in list_parts(read_schema(name))
        if str(part.get("$ref", "")).rpartition("/")[2] in open_names
    ]

    assert uses
    assert [] == [(name, place) for name, place, part in uses if part.get("unevaluatedProperties") is not False]


def test_every_definition_is_used_and_every_reference_leads_to_one() -> None:
    used = {
        str(part["$ref"]).rpartition("/")[2]
        for name in FILES
        for _, part in list_parts(read_schema(name))
        if "$ref" in part
    }

    assert used == set(DEFINITIONS)


def test_the_fixed_words_are_those_of_the_code() -> None:
    assert {name: [one.value for one in words] for name, words in ENUMS.items()} == {
        name: DEFINITIONS[name]["enum"] for name in ENUMS
    }
    assert list(JOB_STATES) == DEFINITIONS["job_state"]["enum"]
    assert list(AlarmCode) == DEFINITIONS["alarm"]["properties"]["codes"]["items"]["enum"]
    assert [one.name for one in RuleAction] == DEFINITIONS["finding"]["properties"]["action"]["enum"]
    assert list(AlertAction) == DEFINITIONS["reading"]["properties"]["action"]["enum"]
    assert set(HookSettings.__struct_fields__) == set(DEFINITIONS["hook_settings"]["properties"])


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("orders --json", "orders"),
        ("order ls --limit 3", "orders"),
        ("orders show 12345678", "orders-show"),
        ("hooks", "hooks-list"),
        ("hooks secret add signals", "hooks-secret-add"),
        ("trades --limit 1 stats", "trades-stats"),
        ("accounts news import file.csv", "accounts-news-import"),
    ],
)
def test_a_command_is_found_by_what_is_typed(typed: str, name: str) -> None:
    assert name == name_command(typed.split())


def test_a_wrong_value_is_named_with_its_command_and_place() -> None:
    minute = dict.fromkeys(("minute_open", "minute_high", "minute_low", "minute_volume"))
    wrong = {"quotes": [{"contract": "MNQ", "bid": 1.5, **minute}], "fresh_for_s": 5}

    with pytest.raises(AssertionError, match=r"(?s)`tickwork quotes`.*\.quotes\[0\].*required") as found:
        check_value("quotes", wrong)
    assert '.quotes[0].contract: "MNQ"' in str(found.value)
    with pytest.raises(AssertionError, match=r"(?s)tickwork orders market.*\.closes_first"):
        check_value("orders-market", {"is_dry_run": True, "closes_first": "x", "rules": [], "denied": None})


def test_an_error_is_taken_of_every_command_and_a_table_is_not_read() -> None:
    check_output(["orders", "--json"], '{"error": "no stack runs"}')
    check_output(["orders"], "Orders")
    with pytest.raises(AssertionError, match="error"):
        check_output(["orders", "-o", "json"], '{"error": 3}')
