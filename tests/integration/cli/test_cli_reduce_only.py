"""`tickwork halt --reduce-only`: its place between trading and halted, and where it is shown."""

from tests.fixtures.alert_steps import average, hold
from tests.fixtures.operator import RunCommand
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

REDUCE_ONLY = ("halt", "--reduce-only", "CPI")


def test_a_halt_replaces_a_reduce_only_which_changes_no_halt_and_resume_ends_both(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    state = "SELECT halt_reason, is_reduce_only FROM account"
    assert "is reduce-only: CPI" in operator(*REDUCE_ONLY).out
    assert "was already reduce-only, which stays: CPI" in operator("halt", "--reduce-only", "lunch").out
    assert [("CPI", True)] == worker_env.rows(state)
    assert "is halted: lunch" in operator("halt", "lunch").out
    again = operator(*REDUCE_ONLY, "--json").json
    (before,) = again["already_halted"]
    assert ([], "HALTED", "lunch") == (again["halted"], before["state"], before["reason"])
    assert [("lunch", False)] == worker_env.rows(state)
    assert "is no longer halted; the reason was: lunch" in operator("resume", "back").out
    assert 0 == operator(*REDUCE_ONLY).status
    assert "is no longer reduce-only; the reason was: CPI" in operator("resume", "back").out

    told = [
        (act["act"], act["before"], act["after"], act["reason"])
        for act in reversed(operator("accounts", "audit", "--json").json["acts"])
    ]
    trading = {"state": "TRADING", "halt": None}
    reducing, halted = {"state": "REDUCING", "halt": "CPI"}, {"state": "HALTED", "halt": "lunch"}
    assert [
        ("reduce_only", trading, reducing, "CPI"),
        ("halt", reducing, halted, "lunch"),
        ("resume", halted, trading, "back"),
        ("reduce_only", trading, reducing, "CPI"),
        ("resume", reducing, trading, "back"),
    ] == told
    kinds = [row[0] for row in worker_env.rows("SELECT kind FROM account_event ORDER BY id")]
    assert ["reducing", "halted", "resumed", "reducing", "resumed"] == kinds


def test_the_state_is_shown_by_every_command_that_shows_halts(operator: RunCommand) -> None:
    assert "TRADING" == operator("accounts", "--json").json["accounts"][0]["state"]
    assert 0 == operator(*REDUCE_ONLY).status

    (row,) = operator("accounts", "--json").json["accounts"]
    assert ("REDUCING", None, "CPI") == (row["state"], row["halted"], row["reduce_only"])
    assert "REDUCING" in operator("accounts").words
    assert "state REDUCING" in operator("accounts", "show", "20001").words
    assert "is REDUCING: CPI" in operator("positions").words
    assert "is REDUCING: CPI" in operator("orders").words
    (shown,) = operator("risk", "--json").json["accounts"]
    assert ("REDUCING", False) == (shown["state"], shown["may_enter"])
    assert "REDUCING): NO ENTRY: reduce-only: CPI; only an entry that makes a position smaller passes" in (
        operator("risk").words
    )


def test_an_order_that_is_cut_says_so_also_in_a_dry_run(operator: RunCommand, worker_env: WorkerEnv) -> None:
    hold(worker_env, 2)
    assert 0 == operator(*REDUCE_ONLY).status
    price = str(average(worker_env) + 100)
    sell = ("orders", "limit", "MNQ", "sell", "3", "--price", price, "--stop", "400")
    for _ in range(2):
        dry = operator(*sell, "--dry-run")
        assert (0, True) == (dry.status, "only 2 of 3 is entered, which closes" in dry.words), dry
    done = operator(*sell)

    assert (0, True) == (done.status, "only 2 of 3 is entered, which closes" in done.words), done
    assert 2 == worker_env.venue.position(MNQ)


def test_reduce_only_goes_with_no_flatten(operator: RunCommand, worker_env: WorkerEnv) -> None:
    assert "give --reduce-only or --flatten, not both" in operator(*REDUCE_ONLY, "--flatten", "--yes").error
    assert [(None,)] == worker_env.rows("SELECT halted_at FROM account")
