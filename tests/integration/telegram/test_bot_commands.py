"""Commands from Telegram: status at once, halt and flatten once a right and unused code follows in time."""

import re
import time

import pyotp
import pytest

from tests.fixtures.alert_steps import hold
from tests.fixtures.operator import worker_at
from tests.fixtures.telegram_bot import Person
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

pytestmark = pytest.mark.usefixtures("bot")

ACCOUNT = "SELECT halted_at IS NOT NULL, halt_reason FROM account"
ACTS = "SELECT who, act, after ->> 'state' FROM audit WHERE act <> 'telegram_ignored' ORDER BY id"


def is_halted(worker_env: WorkerEnv) -> bool:
    ((found, _),) = worker_env.rows(ACCOUNT)
    return bool(found)


def test_status_tells_positions_orders_result_and_what_is_wrong(worker_env: WorkerEnv, anna: Person) -> None:
    hold(worker_env, 2)
    worker_env.execute("UPDATE account SET halted_at = now(), halt_reason = 'lunch'")
    told = anna.ask("/status")

    assert "HALTED, today " in told
    assert "2 working orders" in told
    assert "LONG 2 MNQ H26 at " in told
    assert "is HALTED: lunch" in told


def test_a_halt_says_what_it_would_do_and_happens_with_a_code(worker_env: WorkerEnv, anna: Person) -> None:
    asked = anna.ask("/halt news at two")
    assert "Halt stops new entries of " in asked
    assert "Send your 6-digit code within 60 s, or /cancel." in asked
    assert not is_halted(worker_env)
    told = anna.ask(anna.code())

    assert told.startswith("HALTED: ")
    assert [(True, "news at two")] == worker_env.rows(ACCOUNT)
    assert ("telegram:anna", "halt", "HALTED") in worker_env.rows(ACTS)
    assert [("Telegram account 41",)] == worker_env.rows(
        "SELECT split_part(origin, ' by ', 1) FROM audit WHERE act = 'halt'"
    )
    anna.ask("/halt again")
    assert "Was halted before, which stays: " in anna.ask(anna.code())
    assert [(True, "news at two")] == worker_env.rows(ACCOUNT)


def test_a_wrong_or_used_code_does_nothing(worker_env: WorkerEnv, anna: Person) -> None:
    anna.ask("/halt now")
    assert "Wrong code, or one that was used" in anna.ask(anna.wrong_code())
    assert not is_halted(worker_env)
    code = anna.code()
    assert anna.ask(f"{code[:3]} {code[3:]}").startswith("HALTED: ")
    worker_env.execute("UPDATE account SET halted_at = NULL, halt_reason = NULL")
    anna.ask("/halt now")

    assert "Wrong code, or one that was used" in anna.ask(code)
    assert not is_halted(worker_env)


def test_a_right_code_that_is_delivered_late_counts_as_right(anna: Person) -> None:
    anna.ask("/halt now")
    code = pyotp.TOTP(anna.secret).at(int(time.time()) - 80)  # one step before it was sent, and wrong by now
    assert anna.ask(code, age_s=50).startswith("HALTED: ")

    anna.ask("/halt again")
    assert "Wrong code, or one that was used" in anna.ask(code, age_s=50)


def test_a_code_that_comes_late_or_for_nothing_does_nothing(worker_env: WorkerEnv, anna: Person) -> None:
    code = anna.code()
    assert "Nothing waits for a code." in anna.ask(code)
    anna.ask("/halt now")
    worker_env.execute("UPDATE telegram_user SET pending_until_at = now() - interval '1 s'")
    assert "Too late: nothing was done. Send /halt again." == anna.ask(code)
    anna.ask("/halt now")
    assert "Forgotten: nothing waits for a code." == anna.ask("/cancel")
    assert "Nothing waits for a code." in anna.ask(code)

    assert not is_halted(worker_env)
    assert [(0, None)] == worker_env.rows("SELECT failed_count, used_step FROM telegram_user")


@pytest.mark.parametrize("age_s", [0, 90], ids=["refused", "too old"])
def test_a_new_flatten_that_fails_leaves_nothing_that_waits_for_a_code(
    worker_env: WorkerEnv, anna: Person, age_s: float
) -> None:
    anna.ask("/halt now")
    worker_env.execute("UPDATE market_clock SET kind = 'live'")  # where live orders were never on
    assert anna.ask("/flatten", age_s=age_s).startswith(("Not done: live orders", "Too old: "))

    assert "Nothing waits for a code." in anna.ask(anna.code())
    assert not is_halted(worker_env)


def test_five_wrong_codes_lock_for_longer_and_longer_and_are_told_to_the_others(
    worker_env: WorkerEnv, anna: Person, ben: Person
) -> None:
    anna.ask("/flatten")
    for _ in range(4):
        assert "Wrong code" in anna.ask(anna.wrong_code())
    assert "5 wrong codes. Locked until " in anna.ask(anna.wrong_code())
    assert "Locked until " in anna.ask("/halt now")
    assert "Locked until " in anna.ask(anna.code())
    assert "anna has sent 5 wrong codes and is locked." == ben.answer_after(0)
    assert "HELD" not in anna.ask("/status")  # it needs no code
    locked = "SELECT round(extract(epoch FROM locked_until_at - now()) / 60), failed_count FROM telegram_user"
    assert [(15, 5)] == worker_env.rows(f"{locked} WHERE name = 'anna'")
    assert [("telegram:anna", "telegram_lock", None)] == worker_env.rows(ACTS)

    worker_env.execute("UPDATE telegram_user SET locked_until_at = now() - interval '1 s', failed_count = 9")
    anna.ask("/halt now")
    assert "10 wrong codes. Locked until " in anna.ask(anna.wrong_code())
    assert [(30, 10)] == worker_env.rows(f"{locked} WHERE name = 'anna'")
    worker_env.execute("UPDATE telegram_user SET locked_until_at = now() - interval '1 s'")
    anna.ask("/halt now")
    assert anna.ask(anna.code()).startswith("HALTED: ")
    assert [(0, None)] == worker_env.rows("SELECT failed_count, locked_until_at FROM telegram_user WHERE name = 'anna'")


def test_what_waits_for_the_code_of_one_is_not_confirmed_by_another(
    worker_env: WorkerEnv, anna: Person, ben: Person
) -> None:
    anna.ask("/halt by anna")
    assert "Nothing waits for a code." in ben.ask(ben.code())
    ben.ask("/halt by ben")
    assert "Wrong code" in ben.ask(anna.code())
    assert not is_halted(worker_env)
    assert ben.ask(ben.code()).startswith("HALTED: ")

    assert [(True, "by ben")] == worker_env.rows(ACCOUNT)
    assert [("halt",)] == worker_env.rows("SELECT pending_act FROM telegram_user WHERE name = 'anna'")


def test_a_flatten_is_followed_until_the_venue_confirms_flat_and_blocks_no_other_command(
    worker_env: WorkerEnv, anna: Person
) -> None:
    hold(worker_env, 2)
    asked = anna.ask("/flatten")
    assert "LONG 2 MNQ H26" in asked
    assert "Flatten requested: " in anna.ask(anna.code())
    assert "LONG 2 MNQ H26" in anna.ask("/status")  # no worker has begun
    count = len(anna.telegram.texts(anna.telegram_id))
    with worker_at(worker_env):
        told = anna.answer_after(count)

    assert told.startswith("FLAT: ")
    assert 0 == worker_env.venue.position(MNQ)
    assert [] == worker_env.rows("SELECT 1 FROM telegram_flatten")
    assert [("telegram:anna", "flatten", None)] == worker_env.rows(ACTS)
    assert [("orders.flatten", True)] == worker_env.rows(
        "SELECT name, job.correlation_id = flatten_request.correlation_id FROM job, flatten_request"
        " WHERE name = 'orders.flatten'"
    )


def test_a_flatten_that_is_not_flat_in_time_is_told_with_what_is_held(worker_env: WorkerEnv, anna: Person) -> None:
    hold(worker_env, 1)
    anna.ask("/flatten")
    anna.ask(anna.code())
    count = len(anna.telegram.texts(anna.telegram_id))
    worker_env.execute("UPDATE telegram_flatten SET until_at = now()")
    told = anna.answer_after(count)

    assert told.startswith("NOT FLAT: ")
    assert "no worker has begun yet. Held: " in told
    assert "LONG 1 MNQ H26" in told
    assert [] == worker_env.rows("SELECT 1 FROM telegram_flatten")


def test_a_long_answer_tells_what_is_wrong_first_and_how_much_is_left_out(worker_env: WorkerEnv, anna: Person) -> None:
    worker_env.execute(ADD_ACCOUNTS.replace("10, 29", "10, 120"))
    worker_env.execute("UPDATE account SET halted_at = now(), halt_reason = 'lunch' WHERE id = 120")
    told = anna.ask("/status").splitlines()
    assert ["is HALTED: lunch" in line for line in told[1:6]].count(True) == 1
    assert re.fullmatch(r"\.\.\. [0-9]+ lines more: `tickwork status` and `tickwork positions`", told[-1])
    assert "Send your 6-digit code within 60 s, or /cancel." == anna.ask("/flatten").splitlines()[-1]


def test_an_outcome_tells_first_what_is_not_flat(worker_env: WorkerEnv, anna: Person) -> None:
    worker_env.execute(ADD_ACCOUNTS.replace("10, 29", "10, 150"))
    anna.ask("/flatten")
    anna.ask(anna.code())
    count = len(anna.telegram.texts(anna.telegram_id))
    worker_env.execute("UPDATE flatten_request SET flat_at = now() WHERE account_id <> 90")
    worker_env.execute("UPDATE telegram_flatten SET until_at = now()")
    told = anna.answer_after(count).splitlines()

    assert told[0].startswith("NOT FLAT: 50KTC-7090: ")
    assert told[-2].endswith(" lines more: `tickwork positions`")


ADD_ACCOUNTS = """
    INSERT INTO account (id, name, balance, can_trade)
    SELECT id, '50KTC-V2-1-70' || id, 50000, true FROM generate_series(10, 29) AS id
"""


@pytest.mark.parametrize("act", ["halt", "flatten"])
def test_locked_accounts_are_not_waited_for_while_others_are_held(
    worker_env: WorkerEnv, anna: Person, act: str
) -> None:
    worker_env.execute(ADD_ACCOUNTS)
    with worker_env.ledger.engine.connect() as other, other.begin():
        other.exec_driver_sql("SELECT 1 FROM account WHERE id <> 10 FOR UPDATE")
        anna.ask(f"/{act}")
        count = len(anna.telegram.texts(anna.telegram_id))
        began = time.monotonic()
        begun = anna.ask(anna.code())
        told = anna.answer_after(count + 1)
        took_s = time.monotonic() - began

    locked, _, done = begun.splitlines()[:3]
    for line in (locked, told.splitlines()[0]):
        assert line.startswith("NOT ")
        assert "50KTC-7029" in line
    assert told.splitlines()[0].endswith(f"Send /{act} again.")
    assert done.startswith(("HALTED: 50KTC-7010.", "Flatten requested: 50KTC-7010."))
    assert took_s < 7  # twenty waits of 50 ms, 2 s, and what sends two messages
    assert [(10,)] == worker_env.rows(
        "SELECT id FROM account WHERE halted_at IS NOT NULL UNION SELECT account_id FROM flatten_request"
    )


FULL_WIDTH_DIGITS = "".join(chr(0xFF10 + number) for number in range(1, 7))


@pytest.mark.parametrize(
    "text", ["hello", "/resume all", "123 4567", FULL_WIDTH_DIGITS, "\N{ROCKET}" * 2400, "x" * 5000, "/halt@x@y"]
)
def test_what_is_no_command_is_answered_with_the_commands(anna: Person, text: str) -> None:
    assert anna.ask(text).startswith("/status: ")


def test_a_long_reason_in_any_script_is_kept_on_one_line(worker_env: WorkerEnv, anna: Person) -> None:
    anna.ask("/HALT@tickwork_bot \u505c\u6b62\n\x00\u202e " + "\u00e9" * 5000)
    anna.ask(anna.code())
    ((_, reason),) = worker_env.rows(ACCOUNT)

    assert reason.startswith("\u505c\u6b62 \u00e9\u00e9")
    assert 200 == len(reason)
