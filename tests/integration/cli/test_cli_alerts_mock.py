"""`tickwork alerts mock`, and the list of what a receiver took: a webhook's reading of messages."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import update

from cli.main import tickwork
from shared.db.engine import make_engine
from shared.db.tables.alerts import hook
from shared.domain.alerts.hook_settings import HookSettings, SizeMode, encode_settings
from shared.domain.market_data.contract_text import shorten_contract
from tests.fixtures.json_schemas import check_output
from tests.fixtures.receiver_process import ENTRY, ReceiverProcess
from tests.fixtures.venue import MNQ

pytest_plugins = ("tests.fixtures.receiver",)


class AlertsCommand:
    """Runs `tickwork alerts ...` on the stack of a receiver."""

    def __init__(self, receiver: ReceiverProcess, home: Path) -> None:
        self.receiver = receiver
        self._env = {"DATABASE_URL": receiver.database_url, "TICKWORK_HOME": str(home), "COLUMNS": "200"}

    def run(self, *words: str, stdin: bytes | None = None) -> Result:
        result = CliRunner().invoke(tickwork, ["alerts", *words], env=self._env, input=stdin)
        check_output(["alerts", *words], result.stdout)
        return result

    def configure(self, settings: HookSettings) -> None:
        """Give the receiver's hook these settings."""
        engine = make_engine(self.receiver.database_url, program="test", pool_size=1)
        with engine.begin() as connection:
            connection.execute(update(hook).values(settings=encode_settings(settings)))
        engine.dispose()


@pytest.fixture
def alerts(receiver: ReceiverProcess, tmp_path: Path) -> AlertsCommand:
    receiver.track(MNQ)
    return AlertsCommand(receiver, tmp_path)


def test_a_message_is_read_and_nothing_is_stored(alerts: AlertsCommand) -> None:
    result = alerts.run("mock", json.dumps(ENTRY))

    assert 0 == result.exit_code, result.output
    assert all(part in result.stdout for part in ("BUY", "contract           MNQ H26", "Nothing was sent."))
    assert 0 == alerts.receiver.count("alert") == alerts.receiver.count("job")


def test_without_a_message_a_test_alert_of_a_tracked_root_is_read(alerts: AlertsCommand) -> None:
    found = json.loads(alerts.run("mock", "--json").stdout)

    assert (None, "TEST", "MNQ", MNQ, None) == (
        found["refused"],
        found["reading"]["action"],
        found["reading"]["root"],
        found["contract"],
        found["hook"],
    )


@pytest.mark.parametrize(
    ("message", "field", "hint"),
    [
        ('{"action": "buy", "symbol": "MNQ", "quantity": 0}', "quantity", "expected a whole number of contracts"),
        ("buy MNQ", "body", "expected one JSON object"),
        ('{"action": "buy", "symbol": "MGC", "quantity": 1}', "symbol", "traded are MNQ H26: send"),
        (json.dumps(ENTRY | {"timenow": "2126-01-01T00:00:00Z"}), "timenow", "at most 60 s are accepted"),
        ("\udcff", "body", "send it as UTF-8"),
        ("", "body", "expected one JSON object"),
    ],
)
def test_a_message_that_would_be_refused_exits_with_1_its_field_and_a_hint(
    alerts: AlertsCommand, message: str, field: str, hint: str
) -> None:
    result, as_json = alerts.run("mock", message), alerts.run("mock", message, "--json")

    assert (1, 1) == (result.exit_code, as_json.exit_code)
    assert f"(field {field}): " in result.stderr
    assert hint in result.stderr
    assert "Nothing was sent" not in result.stdout
    assert field == json.loads(as_json.stdout)["refused"]["field"]


def test_an_entry_of_another_month_is_accepted_by_the_receiver_and_denied_by_the_worker(alerts: AlertsCommand) -> None:
    body = {"symbol": "MNQU2031", "market_position": "short", "market_position_size": 1, "stop_loss_ticks": 40}
    result = alerts.run("mock", json.dumps(body))

    assert 202 == alerts.receiver.post(body).status_code
    assert 1 == result.exit_code, result.output
    assert "denied: MNQU2031 is not the active contract of MNQ, which is MNQ H26" in result.stdout
    assert "Readable, but not traded. Nothing was sent." in result.stdout


def test_an_entry_above_the_limit_has_the_warning_of_the_receiver(alerts: AlertsCommand) -> None:
    body = ENTRY | {"quantity": 9}
    warning = alerts.receiver.post(body).json()["warning"]

    for options in ((), ("--hook", "first")):
        text = alerts.run("mock", *options, json.dumps(body))
        assert warning in text.stdout
        assert warning == json.loads(alerts.run("mock", "--json", *options, json.dumps(body)).stdout)["warning"]
    assert json.loads(alerts.run("mock", "--json", json.dumps(ENTRY)).stdout)["warning"] is None


def test_a_stale_message_is_denied_also_without_an_account_to_ask(alerts: AlertsCommand) -> None:
    alerts.receiver.execute("UPDATE account SET can_trade = false")
    old = ENTRY | {"timenow": "2026-01-01T00:00:00Z"}

    now, stale = (json.loads(alerts.run("mock", "--json", json.dumps(body)).stdout) for body in (ENTRY, old))

    assert ["not_known"] == [one["outcome"] for one in now["accounts"]]
    assert [(None, "denied", True)] == [
        (one["account_id"], one["outcome"], one["detail"].startswith("stale: it was sent "))
        for one in stale["accounts"]
    ]
    assert (0, 1) == tuple(alerts.run("mock", json.dumps(body)).exit_code for body in (ENTRY, old))


def test_a_hook_shows_its_mapping_and_size(alerts: AlertsCommand) -> None:
    alerts.configure(HookSettings(symbols={"NQ": "MNQ"}, size=SizeMode.FIXED, size_value=Decimal(2)))

    mapped = alerts.run("mock", "--hook", "first", json.dumps(ENTRY | {"symbol": "NQ1!"}))
    other = alerts.run("mock", "--hook", "first", json.dumps(ENTRY))

    assert 0 == mapped.exit_code, mapped.output
    assert all(
        part in mapped.stdout
        for part in (
            shorten_contract(MNQ),
            "hook               first",
            "NQ: MNQ",
            "fixed",
            "request            BUY 2 MNQ",
        )
    )
    assert (1, True) == (
        other.exit_code,
        "'MNQ' is not taken by this hook (field symbol): expected one of NQ" in other.stderr,
    )


def test_messages_are_read_from_stdin_line_by_line(alerts: AlertsCommand) -> None:
    lines = [json.dumps(ENTRY).encode(), b"", b"\xff", b'{"action": "close", "symbol": "MNQ"}']

    result = alerts.run("mock", "--watch", "--json", stdin=b"\n".join(lines))

    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert ["BUY", None, "CLOSE"] == [one["reading"] and one["reading"]["action"] for one in found]
    assert 1 == result.exit_code
    assert 0 == alerts.run("mock", "--watch", stdin=lines[0]).exit_code


def test_a_hook_that_takes_no_messages_is_refused(alerts: AlertsCommand) -> None:
    assert "no hook is named 'absent': the hooks are first" in alerts.run("mock", "--hook", "absent").stderr
    alerts.receiver.remove_hook("first")

    assert "hook 'first' was removed at" in alerts.run("mock", "--hook", "first").stderr
    assert 2 == alerts.run("mock", "{}", "--watch").exit_code


def test_a_duplicate_is_no_second_alert_and_another_message_with_its_id_is_a_refused_one(alerts: AlertsCommand) -> None:
    sent = ENTRY | {"id": "one", "timenow": "2026-11-23T14:30:00Z"}
    statuses = [
        alerts.receiver.post(body).status_code for body in (sent, sent, sent | {"timenow": "2026-11-23T14:31:00Z"})
    ]

    refused, accepted = json.loads(alerts.run("list", "--json").stdout)["alerts"]

    assert [202, 202, 409] == statuses
    assert ("accepted", "queued") == (accepted["verdict"], accepted["job"])
    assert ("refused", None) == (refused["verdict"], refused["job"])
    assert refused["reason"].startswith("409: id 'one' belongs to an alert received ")
