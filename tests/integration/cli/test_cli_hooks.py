"""`tickwork hooks`: a URL for each source of alerts."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, insert, text

from cli.client.hook_messages import order_message, position_message
from cli.main import tickwork
from shared.db.engine import make_engine
from shared.db.tables.accounts import account
from shared.db.tables.market_data import contract
from shared.domain.alerts.alert import AlertAction
from shared.domain.alerts.parse import parse_alert
from tests.fixtures.json_schemas import check_output
from tests.fixtures.processes import until
from tests.fixtures.receiver_process import ACCOUNT, ENTRY, StartReceiver

pytest_plugins = ("tests.fixtures.receiver",)
URL = "https://alerts.example.com"


class Operator:
    """Runs `tickwork hooks ...` on the stack of a database."""

    def __init__(self, database_url: str, home: Path, engine: Engine) -> None:
        self.database_url = database_url
        self.home = home
        self.engine = engine

    def run(self, *words: str, receiver_url: str = URL, public_url: str = "", proxy_count: int = 0) -> Result:
        env = {
            "DATABASE_URL": self.database_url,
            "TICKWORK_HOME": str(self.home),
            "TICKWORK_RECEIVER_URL": receiver_url,
            "TICKWORK_PUBLIC_URL": public_url,
            "TICKWORK_PROXIES": str(proxy_count),
        }
        result = CliRunner().invoke(tickwork, ["hooks", *words], env=env)
        check_output(["hooks", *words], result.stdout)
        return result

    def add_account(self, account_id: int, *, can_trade: bool = True) -> None:
        with self.engine.begin() as connection:
            row = insert(account).values(id=account_id, name=f"no. {account_id}", balance=1, can_trade=can_trade)
            connection.execute(row)


@pytest.fixture
def operator(database_url: str, tmp_path: Path) -> Iterator[Operator]:
    engine = make_engine(database_url, program="test")
    yield Operator(database_url, tmp_path, engine)
    engine.dispose()


def test_the_url_of_a_new_hook_accepts_alerts_until_it_is_removed(
    start_receiver: StartReceiver, operator: Operator
) -> None:
    receiver = start_receiver()
    url = json.loads(operator.run("add", "mine", "--json", receiver_url=receiver.url).stdout)["url"]
    token = url.removeprefix(f"{receiver.url}/hooks/tv/")

    assert re.fullmatch(r"[\w-]{43}", token)
    assert 202 == receiver.post(ENTRY, token).status_code
    assert [(ACCOUNT,)] == receiver.rows("SELECT account_id FROM hook WHERE name = 'mine'")
    assert token not in str(receiver.rows("SELECT * FROM hook"))

    assert 0 == operator.run("remove", "mine", "--yes").exit_code
    until(lambda: receiver.post(ENTRY, token).status_code == 404, what="a receiver that knows of the removal")
    assert 1 == operator.run("remove", "mine", "--yes").exit_code


def test_hooks_add_prints_the_url_with_working_examples(operator: Operator) -> None:
    operator.add_account(7)
    with operator.engine.begin() as connection:
        connection.execute(
            insert(contract).values(
                id="CON.F.US.MGC.M22",
                name="MGCM2",
                root="MGC",
                tick_size=1,
                tick_value=1,
                is_active=True,
                is_tracked=True,
            )
        )

    output = operator.run("add", "mine").stdout

    assert "account 7 (no. 7)" in output
    example = re.search(
        r"echo 'url = (https://alerts.example.com/hooks/tv/[\w-]{43})' \| curl -sS -K - -d '(.*)'", output
    )
    assert example is not None
    assert 1 == output.count("| curl")
    assert "MGC" == parse_alert(example[2].encode()).root.name
    assert position_message("MGC") in output
    assert "put a proxy" not in output
    assert "put a proxy" in operator.run("add", "other", receiver_url="http://127.0.0.1:8080").stdout


def test_the_messages_are_of_the_first_root_of_the_setting(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    with operator.engine.begin() as connection:
        for root in ("MES", "MNQ"):
            facts = {"id": f"CON.F.US.{root}.M22", "name": root, "root": root, "tick_size": 1, "tick_value": 1}
            connection.execute(insert(contract).values(**facts, is_active=True, is_tracked=True))
    monkeypatch.setenv("TICKWORK_CONTRACTS", "MNQ,MES")

    assert '"symbol": "MNQ"' in operator.run("template").stdout


def test_the_url_of_a_hook_begins_with_the_public_url(operator: Operator) -> None:
    operator.add_account(7)

    output = operator.run("add", "mine", receiver_url="http://127.0.0.1:8700", public_url=f"{URL}/door/").stdout

    assert re.search(rf"'url = {URL}/door/hooks/tv/[\w-]{{43}}' \| curl", output)
    assert "127.0.0.1" not in output
    assert "put a proxy" not in output


def test_tradingview_fills_our_message_into_an_alert() -> None:
    filled = order_message("MNQ")
    for placeholder, value in {
        "{{strategy.order.action}}": "sell",
        "{{strategy.order.contracts}}": "2",
        "{{strategy.order.id}}": "Long exit",
        "{{ticker}}": "MNQ1!",
        "{{interval}}": "5",
        "{{timenow}}": "2026-11-23T14:30:00Z",
    }.items():
        filled = filled.replace(placeholder, value)

    alert = parse_alert(filled.encode())
    assert (AlertAction.SELL, 2, "2026-11-23T14:30:00Z") == (alert.action, alert.quantity, alert.alert_time)
    assert "MNQ1! 5 Long exit sell 2026-11-23T14:30:00Z" == alert.external_id
    assert alert.target_position is None


@pytest.mark.parametrize(("market_position", "action"), [("flat", AlertAction.CLOSE), ("short", AlertAction.SELL)])
def test_an_exit_in_the_message_that_hooks_add_prints_opens_nothing(market_position: str, action: AlertAction) -> None:
    """Also where a stop has closed the position before, or its entry was denied."""
    filled = position_message("MNQ")
    for placeholder, value in {
        "{{strategy.order.action}}": "sell",
        "{{strategy.order.contracts}}": "1",
        "{{strategy.market_position}}": market_position,
        "{{strategy.market_position_size}}": "0" if market_position == "flat" else "1",
        "{{strategy.prev_market_position}}": "long",
        "{{timenow}}": "2026-11-23T14:30:00Z",
    }.items():
        filled = filled.replace(placeholder, value)

    assert action is parse_alert(filled.encode()).action


@pytest.mark.parametrize(
    ("options", "warns"),
    [
        (("--size", "sent"), False),
        (("--size", "x2"), False),
        (("--size", "1"), True),
        (("--size", "x0.5"), True),
        (("--size", "$100"), True),
        (("--size", "1", "--dialect", "traderspost"), False),
    ],
)
def test_a_size_that_plain_orders_do_not_fit_is_warned_of(
    operator: Operator, options: tuple[str, ...], *, warns: bool
) -> None:
    operator.add_account(7)
    added = operator.run("add", "mine", "--json", *options)
    assert warns is ("a plain buy or sell" in (json.loads(added.stdout)["warning"] or ""))
    changed = operator.run("set", "mine", *options)

    assert warns is ("a plain buy or sell" in changed.stderr)
    if options == ("--size", "$100"):
        assert order_message("MNQ") in operator.run("add", "other", *options).stdout


def test_an_ambiguous_account_is_refused(operator: Operator) -> None:
    operator.add_account(7)
    operator.add_account(8)
    operator.add_account(9, can_trade=False)

    ambiguous = operator.run("add", "mine", "--json")
    unknown = operator.run("add", "mine", "--account", "6")
    result = operator.run("add", "mine", "--account", "8", "--json")

    assert (1, "") == (ambiguous.exit_code, ambiguous.stdout)
    assert "--account ID; tradable: 7 (no. 7), 8 (no. 8)" in ambiguous.stderr
    assert (1, 0) == (unknown.exit_code, result.exit_code)
    hooks = json.loads(operator.run("list", "--json").stdout)["hooks"]
    assert [("mine", 8, None)] == [(hook["name"], hook["account_id"], hook["removed_at"]) for hook in hooks]


def test_an_account_that_may_not_trade_is_never_the_default(operator: Operator) -> None:
    operator.add_account(9, can_trade=False)

    assert 1 == operator.run("add", "mine").exit_code


def test_a_hook_name_is_used_once(operator: Operator) -> None:
    operator.add_account(7)
    operator.run("add", "mine")

    again = operator.run("add", "mine")

    assert (1, True) == (again.exit_code, "choose another name" in again.stderr)


def test_a_name_that_a_shell_would_split_is_quoted_where_it_is_to_be_typed(operator: Operator) -> None:
    operator.add_account(7)
    name = "my bot; first"
    assert 0 == operator.run("add", name).exit_code

    assert f"`tickwork hooks pause '{name}'`" in str(operator.run("remove", name).exception)
    assert 0 == operator.run("remove", name, "--yes").exit_code
    assert f"`tickwork hooks add '{name}'`" in operator.run("rotate", name).stderr


def test_the_name_of_a_removed_hook_is_free_and_its_alerts_keep_a_name_of_their_own(
    start_receiver: StartReceiver, operator: Operator
) -> None:
    receiver = start_receiver()
    urls = []
    for _ in range(3):
        urls.append(json.loads(operator.run("add", "mine", "--json", receiver_url=receiver.url).stdout)["url"])
        until(lambda: receiver.post(ENTRY, urls[-1].rpartition("/")[2]).status_code == 202)
        assert "Its name may be used again." in operator.run("remove", "mine", "--yes").stdout

    refused = operator.run("rotate", "mine").stderr
    assert "hook 'mine' was removed at 20" in refused
    assert "`tickwork hooks add mine` adds another one of this name" in refused
    assert "no hook is named 'other': " in operator.run("rotate", "other").stderr
    names = [
        row[0] for row in receiver.rows("SELECT hook.name FROM alert JOIN hook ON hook.id = hook_id ORDER BY alert.id")
    ]
    first, second, third = names
    removed = r"mine \(removed \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\)"
    assert re.fullmatch(removed, first)
    assert re.fullmatch(removed, second)
    assert "mine" == third
    assert first != second
    assert 404 == receiver.post(ENTRY, urls[0].rpartition("/")[2]).status_code


@pytest.mark.parametrize("name", ["", " ", "a\nb", "\udcff"])
def test_a_hook_name_must_be_printable(operator: Operator, name: str) -> None:
    refused = operator.run("add", name)

    assert (1, True) == (refused.exit_code, "invalid hook name" in refused.stderr)


def test_hooks_add_waits_for_the_first_account_snapshot(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float | None] = []

    class Pause(Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout)
            if len(pauses) == 2:
                operator.add_account(7)
            return False

    monkeypatch.setattr("cli.client.first_accounts.Event", Pause)
    monkeypatch.setattr("cli.client.first_accounts._FIRST_SNAPSHOT_S", 600.0)

    added = operator.run("add", "mine", "--json")

    assert (0, 2) == (added.exit_code, len(pauses))
    with operator.engine.connect() as connection:
        assert 7 == connection.execute(text("SELECT account_id FROM hook")).scalar_one()
