"""`tickwork tokens`: an API token for each program that requests jobs."""

import json
import re
from typing import Any

import pytest

from shared.db.alerts.hooks import hash_token
from tests.fixtures.ledger_env import LedgerEnv
from tests.fixtures.receiver_process import StartReceiver
from tests.integration.cli.shell import Done, Shell

pytest_plugins = ("tests.fixtures.receiver",)
URL = "https://alerts.example.com"


class Tokens:
    """Runs `tickwork tokens ...` on the stack of a database."""

    def __init__(self, shell: Shell, database_url: str) -> None:
        self._shell = shell
        self._env = {"DATABASE_URL": database_url, "TICKWORK_RECEIVER_URL": URL}

    def run(self, *words: str, **env: str) -> Done:
        return self._shell.run("tokens", *words, **self._env | env)

    def json(self, *words: str, expected: int = 0, **env: str) -> Any:
        return self._shell.json("tokens", *words, expected=expected, **self._env | env)


@pytest.fixture
def tokens(shell: Shell, database_url: str) -> Tokens:
    return Tokens(shell, database_url)


def test_a_new_token_requests_jobs_until_it_is_revoked(start_receiver: StartReceiver, tokens: Tokens) -> None:
    receiver = start_receiver()
    added = tokens.json("add", "nightly", "--job", "upkeep.do_nothing", TICKWORK_RECEIVER_URL=receiver.url)
    headers = {"Authorization": f"Bearer {added['token']}"}

    def request() -> int:
        return receiver.http.post(f"{added['url']}/upkeep.do_nothing", b"{}", headers=headers).status_code

    assert re.fullmatch(r"tw_[\w-]{43}", added["token"])
    assert 202 == request()
    assert added["token"] not in str(receiver.rows("SELECT * FROM api_token"))
    assert [(hash_token(added["token"]),)] == receiver.rows("SELECT token_hash FROM api_token")
    assert {"revoked": "nightly"} == tokens.json("revoke", "nightly")
    assert 401 == request()
    assert "no token named 'nightly'" in tokens.json("revoke", "nightly", expected=1)["error"]


def test_the_token_and_its_scope_are_shown_once(tokens: Tokens) -> None:
    shown = tokens.run("add", "nightly", "--job", "market_data.*", "--job", "upkeep.canary").stdout

    (token,) = re.findall(r"^  (tw_[\w-]{43})$", shown, re.MULTILINE)
    assert "Token nightly may request market_data.*, upkeep.canary. It expires at 20" in shown
    assert f"{URL}/v1/jobs/market_data.backfill_bars" in shown
    assert "It may trade" not in shown
    (listed,) = tokens.json("list")["tokens"]
    assert ("nightly", ["market_data.*", "upkeep.canary"]) == (listed["name"], listed["job_names"])
    for output in (tokens.run("list").stdout, json.dumps(listed)):
        assert "nightly" in output
        assert token not in output


def test_a_token_that_may_trade_says_so(tokens: Tokens) -> None:
    shown = tokens.run("add", "trader", "--job", "orders.*").stdout
    added = tokens.json("add", "closer", "--job", "orders.poll_fills")

    assert "It may trade: orders.enter_manually can open a position." in shown
    assert [] == added["may_trade"]


@pytest.mark.parametrize(("words", "days"), [((), 90), (("--expires", "7"), 7), (("--expires", "never"), None)])
def test_a_token_expires_after_its_days(
    tokens: Tokens, ledger_env: LedgerEnv, words: tuple[str, ...], days: int | None
) -> None:
    added = tokens.json("add", "nightly", "--job", "upkeep.canary", *words)

    (row,) = ledger_env.rows("SELECT (expires_at::date - created_at::date) AS days FROM api_token")
    assert days == row["days"]
    assert (days is None) is (added["expires_at"] is None)


def test_an_unknown_job_name_or_lifetime_is_refused(tokens: Tokens) -> None:
    unknown = tokens.json("add", "nightly", "--job", "orders.flat", expected=1)["error"]

    assert "invalid job 'orders.flat': expected accounts.snapshot_accounts, " in unknown
    assert "invalid token name ''" in tokens.json("add", "", "--job", "upkeep.canary", expected=1)["error"]
    for lifetime in ("0", "-1", "soon", "4000", "1.5"):
        refused = tokens.json("add", "nightly", "--job", "upkeep.canary", f"--expires={lifetime}", expected=2)
        assert f"invalid lifetime '{lifetime}': expected 1 to 3650 days, or never" in refused["error"]
    tokens.json("add", "nightly", "--job", "upkeep.canary")
    taken = tokens.json("add", "nightly", "--job", "upkeep.canary", expected=1)["error"]
    assert "a valid token is named 'nightly' already: choose another name, or revoke that token first" == taken


@pytest.mark.parametrize(("column", "word"), [("revoked_at", "revoked"), ("expires_at", "expired")])
def test_the_name_of_a_token_that_has_ended_is_free(
    tokens: Tokens, ledger_env: LedgerEnv, column: str, word: str
) -> None:
    tokens.json("add", "nightly", "--job", "upkeep.canary")
    ledger_env.execute(f"UPDATE api_token SET {column} = '2026-01-02 03:04:05.678+00'")

    tokens.json("add", "nightly", "--job", "upkeep.canary")

    former = f"nightly ({word} 2026-01-02 03:04:05.678)"
    assert ["nightly", former] == [one["name"] for one in tokens.json("list")["tokens"]]
    assert {"revoked": "nightly"} == tokens.json("revoke", "nightly")


def test_no_tokens_are_listed_with_the_command_that_adds_one(tokens: Tokens) -> None:
    assert "tickwork tokens add NAME --job JOB" in tokens.run("list").stdout


def test_jobs_show_names_the_token_that_requested_the_job(
    start_receiver: StartReceiver, tokens: Tokens, shell: Shell, database_url: str
) -> None:
    receiver = start_receiver()
    added = tokens.json("add", "nightly", "--job", "upkeep.do_nothing", TICKWORK_RECEIVER_URL=receiver.url)
    headers = {"Authorization": f"Bearer {added['token']}"}
    answer = receiver.http.post(f"{added['url']}/upkeep.do_nothing", b"{}", headers=headers)

    job_id = answer.json()["job_id"]
    (shown,) = shell.json("jobs", "show", job_id, expected=0, DATABASE_URL=database_url)["jobs"]
    text = shell.run("jobs", "show", job_id, DATABASE_URL=database_url).stdout

    assert "nightly" == shown["requested_by"]
    assert re.search(r"requested by\s+nightly", text)
