"""`tickwork accounts`, `risk`, `hooks add`, and the alarms of `status`: limits, rules and live orders."""

import re
from decimal import Decimal
from typing import Any

from cli.local.home.folder import Home
from cli.local.home.lock import Lock
from cli.local.home.state import write_state
from shared.domain.orders.order import Side
from shared.ledger.jobs.orders import EnterManually
from tests.fixtures.operator import RunCommand
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

OTHER = 30001


def read_name(worker_env: WorkerEnv) -> str:
    return str(worker_env.rows("SELECT name FROM account WHERE id = 20001")[0][0])


def add_other_account(worker_env: WorkerEnv) -> None:
    worker_env.execute(
        "INSERT INTO account (id, name, balance, can_trade, day_opening_balance, high_water_mark) "
        f"VALUES ({OTHER}, '50KTC-V2-OTHER', 50000, true, 50000, 50000)"
    )


def show_account(operator: RunCommand, account: str = "20001") -> dict[str, Any]:
    found: dict[str, Any] = operator("accounts", "show", account, "--json").json
    return found


def test_accounts_are_listed_with_their_headroom(operator: RunCommand, worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(quantity=2)
    worker_env.run_due_jobs()
    (row,) = operator("accounts", "--json").json["accounts"]

    assert (20001, "simulator", None, None) == tuple(row[name] for name in ("id", "live_orders", "halted", "blocked"))
    assert float(row["headroom"]) == float(row["equity"]) - float(row["loss_limit_level"]) > 0
    assert read_name(worker_env) in operator("accounts").out


def test_an_account_without_a_high_water_mark_enters_nothing_until_one_is_set(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    worker_env.execute("UPDATE account SET high_water_mark = NULL")
    refused = worker_env.entry_alert()
    worker_env.run_due_jobs()
    assert "`tickwork accounts high-water-mark ACCOUNT BALANCE`" in (worker_env.job(refused)[2] or "")
    assert "invalid amount 'a lot': expected dollars" in operator("accounts", "high-water-mark", "20001", "a lot").error
    result = operator("accounts", "high-water-mark", "20001", "50150.75", "--json").json

    assert {"id": 20001, "name": read_name(worker_env), "high_water_mark": "50150.75"} == result
    allowed = worker_env.entry_alert()
    worker_env.run_due_jobs()
    assert "succeeded" == worker_env.job(allowed)[0]
    assert ("high_water_mark", "50150.75, by hand; it was None") == worker_env.rows(
        "SELECT kind, message FROM account_event WHERE kind = 'high_water_mark'"
    )[0]


def test_an_account_is_shown_in_full_by_id_and_by_name(operator: RunCommand, worker_env: WorkerEnv) -> None:
    operator("halt", "for a test")
    found = show_account(operator, read_name(worker_env).lower())

    assert "for a test" == found["account"]["halted"]
    assert ("5", "the setting max_quantity") in [(row["value"], row["source"]) for row in found["rules"]]
    assert [("halted", "for a test")] == [(one["kind"], one["message"]) for one in found["events"]]
    text = operator("accounts", "show", "20001").words
    assert re.search(r"can trade +yes ", text)
    assert re.search(r"reconciled +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC ", text)
    for words in (
        "The risk monitor has nothing to act on.",
        "Rules",
        "No trading day is over yet.",
        "Newest events",
        "live orders simulator",
    ):
        assert words in text
    assert "account 7 is unknown; known: 20001 (" in operator("accounts", "show", "7").error
    worker_env.execute("INSERT INTO account (id, name, balance, can_trade) VALUES (77, 'OTHER', 1, false)")
    told = f"account nosuch is unknown; known: 77 (OTHER, may not trade), 20001 ({read_name(worker_env)})"
    for command in (("risk",), ("trades",), ("orders", "cancel", "--all"), ("halt", "x"), ("export", "fills")):
        assert told in operator(*command, "--account", "nosuch").error


def test_live_orders_need_the_exact_name(operator: RunCommand, worker_env: WorkerEnv) -> None:
    name = read_name(worker_env)
    assert f"add --name {name}" in operator("accounts", "live", "20001", "on").error
    for result in (
        operator("accounts", "live", "20001", "on", "--name", name.lower()),
        operator("accounts", "live", "20001", "on", typed=f"{name}x\n"),
    ):
        assert 1 == result.status
        assert f"of account 20001: expected {name}; live orders were not turned on" in result.error
    assert [(False, None)] == worker_env.rows("SELECT live_orders, live_since_at FROM account")
    worker_env.execute("UPDATE account SET name = 'LIVE-1'")
    assert (
        "unknown stage of account 'LIVE-1': trading is disabled"
        in operator("accounts", "live", "20001", "on", "--name", "LIVE-1").error
    )
    worker_env.execute(f"UPDATE account SET name = '{name}'")

    result = operator("accounts", "live", "20001", "on", typed=f"{name}\n")
    assert 0 == result.status, result
    assert "trades real money" in result.error
    assert "are ON" in result.out
    assert [(True, True)] == worker_env.rows("SELECT live_orders, live_since_at IS NOT NULL FROM account")
    assert [("critical",)] == worker_env.rows(  # which has what is held without a stop guarded
        "SELECT queue FROM job WHERE name = 'orders.reconcile_account' AND state = 'queued'"
    )
    off = operator("accounts", "live", name, "off", "--json").json
    assert (False, True) == (off["is_live"], off["is_simulated"])
    assert [(False, True)] == worker_env.rows("SELECT live_orders, live_since_at IS NOT NULL FROM account")
    assert ["live_on", "live_off"] == [row[0] for row in worker_env.rows("SELECT kind FROM account_event ORDER BY id")]


def test_switching_live_orders_off_tells_of_the_entries_that_still_rest(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    assert "What is held and works stays at the venue" in operator("accounts", "live", "20001", "off").words
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    worker_env.execute("UPDATE orders SET state = 'WORKING' WHERE role = 'ENTRY'")

    told = operator("accounts", "live", "20001", "off").words
    assert "1 resting entry may still fill at the venue: `tickwork orders cancel --all --account 20001`" in told


def test_at_the_real_venue_every_view_shows_live_orders(operator: RunCommand, worker_env: WorkerEnv) -> None:
    worker_env.execute("UPDATE market_clock SET kind = 'live'")
    assert ["off"] == [one["live_orders"] for one in operator("accounts", "--json").json["accounts"]]
    assert "are off: `tickwork accounts live 20001 on`" in operator("risk").words
    for command in (("flatten", "--yes"), ("positions", "close", "MNQ"), ("positions", "close", "MNQ", "1")):
        left = operator(*command)
        assert (1, "") == (left.status, left.out)
        assert "were never on, so nothing was sent to the venue" in left.error
    operator("accounts", "live", "20001", "on", "--name", read_name(worker_env))

    assert ["LIVE"] == [one["live_orders"] for one in operator("accounts", "--json").json["accounts"]]
    assert "20001, LIVE)" in operator("risk").out


def test_status_has_a_line_for_each_account_that_is_live_or_halted(operator: RunCommand, worker_env: WorkerEnv) -> None:
    home = Home(worker_env.settings.home)
    lock = Lock(home.root)
    lock.acquire()
    urls = {"receiver": "http://127.0.0.1:1"}
    environment = {"DATABASE_URL": worker_env.settings.database_url, "REDIS_URL": worker_env.settings.redis_url}
    write_state(home, {"pid": 1, "programs": [], "urls": urls, "environment": environment})
    try:
        assert [] == operator("status", "--json").json["alarms"]
        worker_env.execute("UPDATE market_clock SET kind = 'live'")
        operator("accounts", "live", "20001", "on", "--name", read_name(worker_env))
        operator("halt", "a check")
        line = f"Account 20001 ({read_name(worker_env)}) is LIVE: orders reach real money; HALTED: a check."

        alarm = {"codes": ["live", "halted"], "account_id": 20001, "message": line}
        assert [alarm] == operator("status", "--json").json["alarms"]
        assert line in operator("status").out
    finally:
        lock.close()


def test_a_default_stop_allows_entries_without_a_stop(operator: RunCommand, worker_env: WorkerEnv) -> None:
    assert "get one 400 ticks away" in operator("accounts", "default-stop", "20001", "400").out
    state, _, error = worker_env.run(EnterManually(account_id=20001, symbol="MNQ", side=Side.BUY, quantity=1))
    assert "succeeded" == state, error
    assert [(400,)] == worker_env.rows("SELECT stop_loss_ticks FROM orders WHERE role = 'ENTRY'")

    assert "without a stop are denied" in operator("accounts", "default-stop", "20001", "none").out
    assert (
        "invalid distance '3': expected ticks from 4 to 999999, or none"
        in operator("accounts", "default-stop", "20001", "3").error
    )


def test_rules_are_listed_changed_and_reset(operator: RunCommand, worker_env: WorkerEnv) -> None:
    changed = operator("accounts", "rules", "20001", "daily_loss_limit=800", "max_trades_per_day=4", "--json")
    rules = {row["rule"]: row for row in changed.json["rules"]}
    assert ("800", "4") == (rules["daily_loss_limit"]["value"], rules["max_trades_per_day"]["value"])
    assert (True, "1000") == (rules["daily_loss_limit"]["is_changed"], rules["daily_loss_limit"]["preset_value"])
    assert "changed by hand (" in operator("accounts", "rules", "20001").out
    assert [({"daily_loss_limit": "800", "max_trades_per_day": "4"},)] == worker_env.rows(
        "SELECT rule_changes FROM account"
    )
    assert "trades a day" in operator("risk").out

    operator("accounts", "rules", "20001", "daily_loss_limit=preset", "--preset", "combine-50k")
    assert [("combine-50k", {"max_trades_per_day": "4"})] == worker_env.rows("SELECT preset, rule_changes FROM account")
    operator("accounts", "rules", "20001", "--reset")
    assert [(None, {})] == worker_env.rows("SELECT preset, rule_changes FROM account")
    for wrong, words in {
        "daily_loss_limit=lots": "invalid daily_loss_limit 'lots': expected dollars above 0",
        "nonsense=1": "unknown rule 'nonsense': expected one of starting_balance",
        "other=preset": "unknown rule 'other': expected one of",
        "daily_loss_limit": "invalid rule change 'daily_loss_limit': expected NAME=VALUE",
        "block_at=0.95": "block_at '0.95'",
        "--preset=gold": "invalid preset 'gold': expected one of combine-50k",
    }.items():
        result = operator("accounts", "rules", "20001", wrong)
        assert (1, "") == (result.status, result.out), wrong
        assert words in result.error
    assert [(None, {})] == worker_env.rows("SELECT preset, rule_changes FROM account")


def test_rules_that_do_not_apply_are_removed_one_by_one(operator: RunCommand, worker_env: WorkerEnv) -> None:
    worker_env.execute(
        """UPDATE account SET rule_changes = '{"old": "1", "block_at": "0.95", "daily_loss_limit": "9"}'"""
    )

    shown = operator("accounts", "rules", "20001", "--json")
    rules = {row["rule"]: (row["is_changed"], row["invalid_change"]) for row in shown.json["rules"]}
    assert ((False, "0.95"), (True, None)) == (rules["block_at"], rules["daily_loss_limit"])
    assert "the change to '0.95' does not apply" in operator("accounts", "rules", "20001").words
    refused = operator("accounts", "rules", "20001", "max_trades_per_day=4")
    assert "unknown rule 'old'" in refused.error
    assert "unknown rule 'old'" in operator("accounts", "rules", "20001", "daily_loss_limit=preset").error
    for name in ("old", "block_at"):
        assert 0 == operator("accounts", "rules", "20001", f"{name}=preset").status
    assert [({"daily_loss_limit": "9"},)] == worker_env.rows("SELECT rule_changes FROM account")
    assert operator("accounts", "rules", "20001", "--json").json["invalid_changes"] is None


def test_risk_shows_the_headroom_and_the_accounts_that_would_be_denied(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    add_other_account(worker_env)
    worker_env.entry_alert(quantity=2)
    worker_env.run_due_jobs()
    first, second = operator("risk", "--json").json["accounts"]
    rules = {row["rule"]: row for row in first["rules"]}

    assert (True, "entries are allowed") == (first["may_enter"], first["summary"])
    assert ("2", 1) == (rules["max_micros"]["used"], int(rules["max_orders_per_minute"]["used"]))
    headroom = Decimal(first["equity"]) - Decimal(first["loss_limit_level"])
    assert headroom == Decimal(rules["max_loss_limit"]["headroom"]), "as `accounts` shows it"
    assert "is not reconciled with the venue yet" in second["summary"]
    assert ["not_reconciled"] == [one["code"] for one in second["obstacles"]]
    text = operator("risk", "--account", "20001").out
    assert "█" in text
    assert re.search(r"contracts \(micros\) +2 +50 +48 ", text), "counts have no cents"
    assert re.search(r"max_loss_limit +\d+\.\d\d +2000\.00 +\d+\.\d\d ", text)
    assert "OTHER" not in text


def test_without_a_fresh_quote_risk_reports_an_unknown_open_profit(operator: RunCommand, worker_env: WorkerEnv) -> None:
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    worker_env.execute("DELETE FROM bar_minute")  # the worker then has no price for a quote
    worker_env.redis.flushdb()

    assert "open profit is unknown while" in operator("risk").words
    (row,) = operator("positions", "--json").json["positions"]
    assert (MNQ, None, None) == (row["contract"], row["price"], row["open_profit"])
    assert "check the feed with `tickwork status`" in operator("positions").out
    result = operator("positions", "breakeven", "MNQ")
    assert (1, "") == (result.status, result.out)
    assert "no fresh quote of" in result.error


def test_a_hook_may_trade_further_accounts(operator: RunCommand, worker_env: WorkerEnv, monkeypatch: Any) -> None:
    monkeypatch.setenv("TICKWORK_RECEIVER_URL", "http://127.0.0.1:1")
    add_other_account(worker_env)
    result = operator(
        "hooks", "add", "copied", "--account", str(OTHER), "--account", read_name(worker_env), "--account", "20001"
    )

    assert 0 == result.status, result
    assert f"trades account {OTHER} (50KTC-V2-OTHER), then account 20001 (" in result.out
    (hook,) = operator("hooks", "list", "--json").json["hooks"]
    assert (OTHER, [20001]) == (hook["account_id"], hook["follower_account_ids"])
    assert "20001" in operator("hooks", "list").out
    result = operator("hooks", "add", "two")
    assert "choose an account with --account ID; tradable: " in result.error


def test_an_account_is_named_by_its_name_as_lists_shorten_it(operator: RunCommand, worker_env: WorkerEnv) -> None:
    short = f"prac-{read_name(worker_env)[-4:]}"

    assert 20001 == show_account(operator, short)["account"]["id"]
