"""The notebook client: frames of what was recorded, and nothing that it could change."""

import csv
import io
import re
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import pandas as pd
import psycopg
import pytest

import shared.db.connect
from cli.local.home.credentials import load_credentials
from cli.local.home.folder import Home
from cli.local.home.state import write_state
from shared.db import roles
from shared.db.roles import PROGRAMS, READER
from shared.domain.accounts.account_name import shorten_account
from shared.errors import RefusedError
from tests.fixtures.books import Books
from tests.fixtures.operator import RunCommand
from tests.fixtures.program_env import make_program_env
from tests.fixtures.venue import MNQ
from tickwork_client import TickworkClient, connect

PAGE = Path(__file__).resolve().parents[3] / "docs" / "howto" / "notebook.md"


@pytest.fixture
def recorded(books: Books) -> Books:
    """Two trades of March 10, an order and bars."""
    books.fill(2, "BUY", 1, "100.25")
    books.fill(3, "SELL", 1, 95, "-10.50")
    books.fill(4, "BUY", 1, 100)
    books.fill(5, "SELL", 1, 105, 10)
    books.book()
    books.minutes((398, 402), (399, 404), (380, 400))
    return books


@pytest.fixture
def client(recorded: Books) -> Iterator[TickworkClient]:
    with connect(recorded.worker_env.settings.database_url) as found:
        yield found


def test_a_text_that_is_no_time_is_refused_with_what_is_expected(client: TickworkClient) -> None:
    with pytest.raises(RefusedError, match="invalid date 'May': expected a day such as 2026-03-10"):
        client.trades(since="May")
    with pytest.raises(RefusedError, match="invalid time 'May': expected a day or an instant"):
        client.bars("MNQ", until="May")


def test_trades_are_those_of_the_command(client: TickworkClient, operator: RunCommand) -> None:
    operator("trades", "tag", "2", "late")
    listed = operator("trades", "--json").json["round_trips"][::-1]

    found = client.trades(since="2026-03-10", until="2026-03-10")

    assert [float(row["net"]) for row in listed] == found["net"].tolist()
    assert [["late"], []] == found["tags"].tolist()
    assert str(found["closed_market_at"].dtype).endswith("UTC]")
    assert [2] == client.trades(tag="late")["opening_fill_id"].tolist()
    assert 2 == len(client.trades(contract="mnq"))
    assert 0 == len(client.trades(since="2026-03-11"))


def test_exact_amounts_add_up_to_the_cent(recorded: Books, operator: RunCommand) -> None:
    expected = sum((Decimal(row["net"]) for row in operator("trades", "--json").json["round_trips"]), Decimal(0))

    with connect(recorded.worker_env.settings.database_url, exact=True) as client:
        assert expected == client.trades()["net"].sum()


def test_bars_are_indexed_by_their_start_oldest_first(client: TickworkClient) -> None:
    found = client.bars("MNQ", since="2026-03-10T15:00", until="2026-03-10T15:03")

    assert ["contract", "open", "high", "low", "close", "volume"] == list(found.columns)
    assert [pd.Timestamp(f"2026-03-10T15:0{minute}Z") for minute in range(3)] == found.index.tolist()
    assert [402.0, 404.0, 400.0] == found["high"].tolist()
    assert {MNQ} == set(client.bars(MNQ)["contract"])
    assert found.columns.tolist() == client.bars("MES").columns.tolist(), "also without a bar"


def test_an_account_is_taken_by_its_id_name_or_short_name(client: TickworkClient, recorded: Books) -> None:
    recorded.worker_env.execute(
        "INSERT INTO account (id, name, balance, can_trade) VALUES (7, '50KTC-V2-7-1234', 1, true)"
    )
    ((name,),) = recorded.worker_env.rows("SELECT name FROM account WHERE id = 20001")

    for word in (20001, "20001", name, name.lower(), shorten_account(name)):
        assert 2 == len(client.trades(account=word))
        assert set(client.orders(account=word)["account_id"]) <= {20001}
    for word in (7, "50KTC-1234"):
        assert 0 == len(client.trades(account=word))
    for read in (client.trades, client.orders):
        with pytest.raises(RefusedError, match=r"account 50KTC-99 is unknown; known: 7 \(50KTC-V2-7-1234\), 20001"):
            read(account="50KTC-99")


@pytest.mark.parametrize(
    ("contract", "message"),
    [
        ("FOO", "unknown symbol 'FOO': expected a root such as MNQ"),
        ("NQM", "unknown symbol 'NQM'"),
        ("CON.F.US.MNQ.Z39", r"no contract of CON\.F\.US\.MNQ\.Z39 is known here; tracked: .*MNQ"),
        ("MNQH31", "no contract of MNQH31 is known here; tracked: .*MNQ"),
    ],
)
def test_a_contract_that_is_not_there_is_refused(client: TickworkClient, contract: str, message: str) -> None:
    for read in (client.bars, lambda contract: client.trades(contract=contract)):
        with pytest.raises(RefusedError, match=message):
            read(contract)


def test_a_contract_is_named_as_commands_take_it(client: TickworkClient) -> None:
    for word in ("mnq", "MNQ1!", MNQ, MNQ.lower(), "CME_MINI:MNQ1!", f"MNQ{MNQ[-3:]}"):
        assert 2 == len(client.trades(contract=word))
        assert {MNQ} == set(client.bars(word)["contract"])


def test_the_strategy_is_the_one_that_trades_shows(client: TickworkClient, operator: RunCommand) -> None:
    listed = [row["strategy"] for row in csv.DictReader(io.StringIO(operator("trades", "-o", "csv").out))][::-1]

    assert listed == client.trades()["strategy"].tolist()
    assert set(listed) == {"unknown"}
    assert 2 == len(client.trades(strategy="unknown"))


def test_results_of_jobs_are_columns(client: TickworkClient) -> None:
    found = client.job_results("trades.book_round_trips")

    assert {"succeeded"} == set(found["state"])
    assert 2 == found["booked"].sum()
    assert UUID(found["id"].iloc[0])
    assert ["id", "name", "state", "enqueued_at", "started_at", "finished_at", "error"] == list(
        client.job_results("no.such_job").columns
    )


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM fill",
        "SET TRANSACTION READ WRITE",
        "COMMIT; BEGIN; DELETE FROM fill",
        "DO $$ BEGIN SET TRANSACTION READ WRITE; DELETE FROM fill; END $$",
        "SELECT set_config('transaction_read_only', 'off', true) FROM fill",
        "WITH gone AS (DELETE FROM fill RETURNING 1) SELECT count(*) FROM gone",
    ],
)
def test_nothing_can_be_changed(client: TickworkClient, statement: str) -> None:
    with pytest.raises(Exception, match=r"read-only transaction|read-write mode|multiple commands|no rows"):
        client.sql(statement)

    assert 4 == client.sql("SELECT count(*) AS rows FROM fill")["rows"].iloc[0]
    assert 0 == len(client.sql("SELECT 1 AS one WHERE %(no)s", no=False))


def test_two_columns_of_one_name_are_refused(client: TickworkClient) -> None:
    with pytest.raises(RefusedError, match="more than one column is named id: name each, with AS"):
        client.sql("SELECT 1 AS id, 2 AS id")


def test_on_the_embedded_server_the_session_is_that_of_the_reader(
    recorded: Books, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path)
    credentials = load_credentials(home)
    owner = urlsplit(recorded.worker_env.settings.database_url)
    with shared.db.connect.connect(owner.geturl(), program="test") as connection:
        roles.make_roles(connection, {PROGRAMS: credentials.programs, READER: credentials.reader})
        roles.grant_rights(connection)
    programs = owner._replace(netloc=f"{PROGRAMS}:{credentials.programs}@{owner.netloc.rpartition('@')[2]}")
    write_state(home, {"urls": {"database": programs.geturl()}})
    monkeypatch.setenv("TICKWORK_HOME", str(tmp_path))

    with connect() as client:
        assert [READER] == client.sql("SELECT current_user AS role")["role"].tolist()
        assert 2 == len(client.trades())
        assert len(client.bars("MNQ"))
        assert len(client.job_results("trades.book_round_trips"))
        client.orders()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            client.sql("SELECT * FROM hook_secret")


def test_no_transaction_stays_open(client: TickworkClient, recorded: Books) -> None:
    client.trades()

    open_ones = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'tickwork notebook' AND state LIKE 'idle in%'"
    with connect(recorded.worker_env.settings.database_url) as other:
        assert 0 == len(other.sql(open_ones))


def test_the_code_of_the_page_runs(recorded: Books) -> None:
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL))
    env = make_program_env(recorded.worker_env)

    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stderr
    assert "volume" in done.stdout
