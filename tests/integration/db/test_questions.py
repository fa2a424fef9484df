"""The twenty questions of docs/howto/ask-the-database.md: each is answered, by the read-only role, from few rows."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from sqlalchemy import text

from shared.db import roles
from shared.db.connect import connect
from shared.db.roles import PROGRAMS, READER
from tests.fixtures.alert_steps import hold
from tests.fixtures.many_rows import fill, years_of_rows
from tests.fixtures.query_plans import sum_rows_read
from tests.fixtures.worker_env import WorkerEnv

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "howto" / "ask-the-database.md").read_text()
QUESTIONS: Final = re.findall(r"^### (\d+)\. ([^\n]+)\n\n```sql\n(.+?)```", PAGE, re.MULTILINE | re.DOTALL)
IDS = [f"{number} {question}" for number, question, _ in QUESTIONS]
JOBS = 150_000  # and 5,000 alerts, 15,000 orders and 5,000 trades of a thousand days
MOST_ROWS = 3_000  # of all tables of one question; of the trades of 90 days each is read
# Views that people ask as they are, beside the questions of the page.
BESIDE = (
    "SELECT * FROM alert_story ORDER BY alert_id DESC LIMIT 1",
    "SELECT * FROM trade WHERE trading_day = trading_day_at(market_now())",
    "SELECT * FROM daily_pnl WHERE trading_day = trading_day_at(market_now()) - 1",
    "SELECT * FROM account_now",
)


def test_the_page_has_twenty_questions_with_one_statement_each() -> None:
    assert [str(number) for number in range(1, 21)] == [number for number, *_ in QUESTIONS]
    assert 20 == PAGE.count("```sql") == len(re.findall(r"^### ", PAGE, re.MULTILINE))
    assert all(1 == statement.count(";") and question.endswith("?") for _, question, statement in QUESTIONS)


@pytest.mark.parametrize("statement", [statement for *_, statement in QUESTIONS], ids=IDS)
def test_the_role_that_only_reads_gets_an_answer(traded: str, statement: str) -> None:
    with psycopg.connect(traded, autocommit=True) as connection:
        connection.execute(f"SET ROLE {READER}".encode())
        connection.execute("SET default_transaction_read_only = on")
        found = connection.execute(statement.encode())

        assert found.description
        assert len({column.name for column in found.description}) == len(found.description)


def test_denials_that_differ_in_their_figures_alone_are_one_kind(traded: str) -> None:
    (statement,) = [one for number, _, one in QUESTIONS if number == "10"]
    reasons = (
        "the result of the day is -1,034.00, the limit 1,000.00: entries wait until 2026-03-10 17:00 Chicago",
        "the result of the day is -1,100.50, the limit 1,000.00: entries wait until 2026-03-11 17:00 Chicago",
        "max_trades_per_day: 4 of 4 trades are made",
    )
    with psycopg.connect(traded, autocommit=True) as connection:
        for reason in reasons:
            connection.execute(
                "INSERT INTO orders (id, account_id, contract_id, origin, role, side, type, quantity, state, reason,"
                " correlation_id) SELECT gen_random_uuid(), account_id, contract_id, origin, role, side, type,"
                " quantity, 'DENIED', %s, correlation_id FROM orders WHERE role = 'ENTRY' LIMIT 1",
                (reason,),
            )
        found = [(kind, count, newest) for _, kind, count, _, newest in connection.execute(statement.encode())]

    assert [
        ("the result of the day is -#, the limit #: entries wait until # # Chicago", 2, reasons[1]),
        ("max_trades_per_day: # of # trades are made", 1, reasons[2]),
    ] == found


@pytest.fixture
def traded(worker_env: WorkerEnv) -> str:
    """A database in which an account holds a position, for its owner."""
    hold(worker_env, 1)
    url = worker_env.settings.require_database()
    with connect(url, program="test") as connection:
        roles.make_roles(connection, {PROGRAMS: "a-password", READER: "a-password"})
        roles.grant_rights(connection)
    return url


def test_each_reads_few_rows_of_a_database_of_years(worker_env: WorkerEnv) -> None:
    hook_id = worker_env.add_hook()
    with worker_env.ledger.engine.begin() as connection:
        connection.execute(text("UPDATE hook SET name = 'test' WHERE id = :id"), {"id": hook_id})
    url = worker_env.settings.require_database()
    fill(url, years_of_rows(JOBS))

    found = dict(read_plans(url))
    assert {} == {statement: rows for statement, rows in found.items() if rows > MOST_ROWS}
    with psycopg.connect(url) as connection:
        control = explain(connection, "SELECT count(*) FROM job WHERE error = 'no index has the errors'")
    assert sum_rows_read(control) > MOST_ROWS


def read_plans(url: str) -> Iterator[tuple[str, int]]:
    """Yield each statement with the number of rows that it read from tables."""
    with psycopg.connect(url) as connection:
        for statement in (*(statement for *_, statement in QUESTIONS), *BESIDE):
            yield statement, sum_rows_read(explain(connection, statement))


def explain(connection: "psycopg.Connection[Any]", statement: str) -> dict[str, Any]:
    """Return the plan of a statement that has run."""
    ((plan,),) = connection.execute(f"EXPLAIN (ANALYZE, TIMING off, FORMAT json) {statement}".encode()).fetchall()
    found: dict[str, Any] = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
    return found
