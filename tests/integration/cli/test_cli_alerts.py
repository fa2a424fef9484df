"""`tickwork alerts list` and `show`: the outcome of each alert."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert

from shared.clock import machine_now
from shared.db.alerts import alert_history, hooks
from shared.db.alerts.alert_history import AlertFilter
from shared.db.tables.alerts import alert as alert_table
from shared.domain.accounts.account_name import shorten_account
from shared.ids import lowest_id_at, new_id
from tests.fixtures.alert_steps import list_verdicts, run_until
from tests.fixtures.operator import RunCommand
from tests.fixtures.venue import RunningVenue, StartVenue
from tests.fixtures.worker_env import WorkerEnv

ROWS_READ = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'alert'"
SCANS = """
    SELECT relname, seq_scan FROM pg_stat_xact_user_tables
    WHERE relname IN ('alert', 'signal', 'job', 'orders', 'fill', 'flatten_request') ORDER BY relname
"""
SHORT_BODY = b'{"action": "buy", "symbol": "MNQ", "quantity": "0"}'


@pytest.fixture
def venue(start_venue: StartVenue) -> RunningVenue:
    """A simulator with a practice account and a Combine."""
    return start_venue(options=("--accounts", "50KTC"))


def alert_of(worker_env: WorkerEnv, job_id: UUID) -> UUID:
    """Return the id of the alert that a job handles."""
    found: UUID = worker_env.rows("SELECT id FROM alert WHERE job_id = %s", job_id)[0][0]
    return found


def refuse(
    worker_env: WorkerEnv,
    body: bytes,
    reason: str = "422: invalid quantity '0'",
    received: timedelta = timedelta(0),
) -> UUID:
    """Store a refused alert of a hook of its own, as the receiver does `received` ago; return its id."""
    hook_id, alert_id = new_id(), new_id()
    if received:
        alert_id = UUID(int=lowest_id_at(machine_now() - received).int + new_id().int % 2**64)
    with worker_env.ledger.engine.begin() as connection:
        connection.execute(hooks.build_insert(hook_id, f"hook {hook_id}", hook_id.bytes, worker_env.venue.account_id))
        row = {"id": alert_id, "hook_id": hook_id, "body": body, "verdict": "refused", "reason": reason}
        row["received_at"] = machine_now() - received
        connection.execute(insert(alert_table).values(row))
    return alert_id


def listed(operator: RunCommand, *options: str) -> list[dict[str, Any]]:
    result = operator("alerts", "list", "--json", *options)
    assert 0 == result.status, result
    found: list[dict[str, Any]] = result.json["alerts"]
    return found


def shown(operator: RunCommand, alert_id: UUID) -> dict[str, Any]:
    result = operator("alerts", "show", str(alert_id), "--json")
    assert 0 == result.status, result
    found: dict[str, Any] = result.json
    return found


def traced(operator: RunCommand, alert_id: UUID) -> list[str]:
    return [one["kind"] for one in operator("trace", str(alert_id), "--json").json["steps"]]


def test_a_list_shows_the_newest_alerts_first_with_what_became_of_them(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    assert "No alerts yet.\n" == operator("alerts", "list").out
    named = operator("alerts", "list", "--verdict", "refused", "--since", "90m").out
    assert "No alerts with --verdict refused --since 90m.\n" == named
    worker_env.entry_alert(quantity=2)
    run_until(worker_env, 2)
    worker_env.execute("UPDATE account SET halted_at = now(), halt_reason = 'a test'")
    worker_env.entry_alert(market_position="long", market_position_size=3)
    worker_env.run_due_jobs()
    refuse(worker_env, SHORT_BODY)

    refused, denied, filled = listed(operator)

    names = ("action", "root", "quantity", "target_position", "verdict", "job", "orders")
    assert ["BUY", "MNQ", 2, None, "accepted", "succeeded", ["FILLED"]] == [filled[name] for name in names]
    assert ["TARGET", "MNQ", None, 3, "accepted", "failed", ["DENIED"]] == [denied[name] for name in names]
    assert [None, None, None, None, "refused", None, []] == [refused[name] for name in names]
    assert [["accepted"], ["denied"], []] == [list_verdicts(row) for row in (filled, denied, refused)]
    assert "is halted: a test" in denied["reason"]
    assert "422: invalid quantity '0'" == refused["reason"]
    assert 0 < filled["submitted_ms"] < 60_000
    assert denied["submitted_ms"] is None
    assert [refused["id"]] == [row["id"] for row in listed(operator, "--verdict", "refused")]
    assert [refused["id"]] == [row["id"] for row in listed(operator, "--limit", "1")]
    assert [filled["id"]] == [row["id"] for row in listed(operator, "--hook", filled["hook"])]
    worker_env.execute(f"UPDATE alert SET received_at = now() - interval '2 hours' WHERE id <> '{denied['id']}'")
    assert [denied["id"]] == [row["id"] for row in listed(operator, "--since", "90m")]
    assert [] == listed(operator, "--since", "90m", "--hook", filled["hook"])
    table = operator("alerts", "list").out
    assert str(filled["id"])[-8:] in table
    assert "submitted" in table


def test_show_tells_the_way_of_an_alert_from_its_body_to_its_stop(operator: RunCommand, worker_env: WorkerEnv) -> None:
    sent_at = machine_now() - timedelta(seconds=3)
    alert_id = alert_of(
        worker_env, worker_env.entry_alert(take_profit_ticks=4000, timenow=sent_at.isoformat(), note="\x1b[1m")
    )
    run_until(worker_env, 1)

    found = shown(operator, alert_id)

    assert str(alert_id) == found["alert"]["id"]
    assert 3 <= found["age_s"] < 60
    assert ("BUY", "MNQ", 1, 400, {"note": "\x1b[1m"}) == tuple(
        found["reading"][name] for name in ("action", "symbol", "quantity", "stop_loss_ticks", "extras")
    )
    (account,) = found["accounts"]
    assert ("accepted", "succeeded") == (account["signal"]["verdict"], account["job"]["state"])
    assert "max_loss_limit" in account["signal"]["figures"]["left_after_stops"]
    assert {"ENTRY", "STOP_LOSS", "TAKE_PROFIT"} == {row["role"] for row in account["orders"]}
    assert [1] == [row["quantity"] for row in account["fills"]]
    steps = ["alert_sent", "alert_received", "verdict_accepted", "order_submitted", "fill", "stop_proven"]
    assert steps == [kind for kind in dict.fromkeys(traced(operator, alert_id)) if kind in steps]
    text = operator("alerts", "show", str(alert_id)[:23]).out
    assert all(
        part in text
        for part in (
            f"tickwork trace {alert_id}",
            "BUY 1 MNQ H26",
            "FILLED",
            '"note": "\\u001b[1m"',
            "note: \\x1b[1m",
        )
    )
    assert "\x1b" not in text


def test_show_of_a_close_names_the_flatten_request_and_the_venue_s_closing_order(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    worker_env.entry_alert()
    run_until(worker_env, 1)
    alert_id = alert_of(worker_env, worker_env.critical_alert())
    run_until(worker_env, 0)

    found = shown(operator, alert_id)

    assert ["FLAT"] == found["alert"]["orders"]
    (account,) = found["accounts"]
    assert [("SELL", "FILLED")] == [(row["side"], row["state"]) for row in account["orders"]]
    assert [("SELL", 1)] == [(row["side"], row["quantity"]) for row in account["fills"]]
    steps = ["alert_received", "flatten_requested", "fill", "flat"]
    assert steps == [kind for kind in dict.fromkeys(traced(operator, alert_id)) if kind in steps]
    assert "Flatten requests" in operator("alerts", "show", str(alert_id)).out


def test_show_has_a_section_for_each_account_of_the_hook(operator: RunCommand, worker_env: WorkerEnv) -> None:
    leader, follower = [row[0] for row in worker_env.rows("SELECT id FROM account ORDER BY id")]
    alert_id = alert_of(worker_env, worker_env.entry_alert(worker_env.add_hook(None, follower)))
    worker_env.execute(f"UPDATE account SET halted_at = now(), halt_reason = 'a test' WHERE id = {follower}")
    run_until(worker_env, 1)

    found = shown(operator, alert_id)

    assert [(leader, "accepted", "succeeded"), (follower, "denied", "failed")] == [
        (one["account_id"], one["signal"]["verdict"], one["job"]["state"]) for one in found["accounts"]
    ]
    assert [["FILLED"], ["DENIED"]] == [
        [row["state"] for row in one["orders"] if row["role"] == "ENTRY"] for one in found["accounts"]
    ]
    signals = [(one["account_id"], one["verdict"]) for one in found["alert"]["signals"]]
    assert ([(leader, "accepted"), (follower, "denied")], ["FILLED", "DENIED"]) == (signals, found["alert"]["orders"])
    text = operator("alerts", "show", str(alert_id)).words
    assert f"Account {leader} (" in text
    assert "is halted: a test" in text

    short = {row[0]: shorten_account(row[1]) for row in worker_env.rows("SELECT id, name FROM account")}
    table = operator("alerts", "list", "--columns", "signal,reason").words
    assert f"{short[leader]} accepted, {short[follower]} denied" in table
    assert f"{short[follower]}: account " in table
    worker_env.execute("UPDATE job SET error = 'an earlier attempt' WHERE state = 'succeeded'")
    assert "an earlier attempt" not in operator("alerts", "show", str(alert_id)).words


def test_show_of_a_refused_alert_escapes_its_body_and_names_the_field(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    unreadable = refuse(worker_env, b'\x1b[2J\xff{"a":\r\n1}', "400: the body is not UTF-8")
    zero = refuse(worker_env, SHORT_BODY)

    text = operator("alerts", "show", str(unreadable)).out

    assert '\\x1b[2J\\xff{"a":\\r\n' in text
    assert "\x1b" not in text
    assert "No orders." not in text
    assert "quantity" == shown(operator, zero)["refused"]["field"]


def test_an_alert_is_named_by_an_unambiguous_part_of_its_id(operator: RunCommand, worker_env: WorkerEnv) -> None:
    first, second = (refuse(worker_env, SHORT_BODY) for _ in range(2))
    common = str(first)[:8]
    assert str(first) in operator("alerts", "show", str(first)[-8:]).out

    ambiguous = operator("alerts", "show", common)

    assert (1, True) == (ambiguous.status, f"ambiguous ({second}, {first})" in ambiguous.words)
    assert "no alert id begins or ends with ffffffff" in operator("alerts", "show", "ffffffff").error
    for wrong in ("0123456", "xyzxyzxyz", "0" * 33):
        assert f"invalid alert id '{wrong}'" in operator("alerts", "show", wrong).error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--hook", "absent"), "no hook is named 'absent'"),
        (("--since", "0m"), "invalid duration '0m': expected up to 3650 days, such as 30m or 2h"),
        (("--since", "yesterday"), "invalid duration 'yesterday'"),
        (("--since", "999999d"), "invalid duration '999999d'"),
        (("--verdict", "denied"), "invalid --verdict 'denied': expected accepted or refused"),
        (("--limit", "0"), "invalid --limit '0': expected a whole number from 1 to 10,000"),
    ],
)
def test_a_list_refuses_invalid_options(operator: RunCommand, options: tuple[str, ...], message: str) -> None:
    result = operator("alerts", "list", *options)

    assert 0 != result.status
    assert message in result.words


def test_a_list_reads_few_more_alerts_than_it_returns(worker_env: WorkerEnv) -> None:
    hook_id = new_id()
    with worker_env.ledger.engine.begin() as connection:
        connection.execute(hooks.build_insert(hook_id, "many", hook_id.bytes, worker_env.venue.account_id))
    worker_env.execute(f"""
        INSERT INTO alert (id, hook_id, body, verdict, reason, received_at)
        SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || lpad(n::text, 20, '0'))::uuid,
               '{hook_id}', '{{}}', 'refused', 'a test', at
        FROM generate_series(1, 20000) n, LATERAL (SELECT now() - make_interval(secs => n) AS at) times
    """)
    worker_env.execute("ANALYZE alert")
    recent = timedelta(minutes=5)
    for chosen in (
        AlertFilter(),
        AlertFilter(since=recent),
        AlertFilter(verdict="refused"),
        AlertFilter(hook_id=hook_id),
        AlertFilter(hook_id=hook_id, verdict="refused", since=recent),
    ):
        with worker_env.ledger.engine.begin() as connection:
            before = connection.exec_driver_sql(ROWS_READ).scalar_one()
            found = alert_history.list_newest(connection, chosen, 20)
            read = connection.exec_driver_sql(ROWS_READ).scalar_one() - before
        assert (20, True) == (len(found), read < 100), (chosen, read)


def test_every_read_of_an_outcome_has_an_index(worker_env: WorkerEnv) -> None:
    ids = [new_id()]
    request = {"account_id": 1, "contract_id": None, "requested_at": machine_now(), "flat_at": None, "dropped_at": None}
    with worker_env.ledger.engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        before = connection.exec_driver_sql(SCANS).all()
        for read in (
            alert_history.list_signals,
            alert_history.list_orders,
            alert_history.list_flatten_requests,
            alert_history.list_fills,
        ):
            assert [] == read(connection, ids)
        assert [] == alert_history.list_closing_orders(connection, request)
        assert [] == alert_history.list_by_ids(connection, ids, AlertFilter(verdict="refused"))
        assert [] == alert_history.list_ids_after(connection, new_id(), 10)
        after = connection.exec_driver_sql(SCANS).all()
    assert before == after
