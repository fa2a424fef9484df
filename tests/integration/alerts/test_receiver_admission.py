"""Who may send alerts: tokens, addresses, rates, and clocks."""

from datetime import timedelta

from shared.clock import machine_now
from shared.db.alerts.hooks import hash_token
from shared.domain.alerts.hook_settings import HookSettings
from tests.fixtures.processes import until
from tests.fixtures.receiver_process import ENTRY, ReceiverProcess, StartReceiver
from tests.fixtures.wire_tap import WireTap
from web.receiver.limits import WRONG_CREDENTIALS_PER_MINUTE

pytest_plugins = ("tests.fixtures.receiver",)


def test_wrong_tokens_share_few_reads_and_become_a_429(start_receiver: StartReceiver, database_url: str) -> None:
    with WireTap(database_url) as wire:
        receiver = start_receiver(through=wire.url, misses_per_minute=WRONG_CREDENTIALS_PER_MINUTE)
        receiver.post(ENTRY)
        statuses = [
            receiver.post(ENTRY, f"wrong-{number}").status_code for number in range(10 * WRONG_CREDENTIALS_PER_MINUTE)
        ]
        heard = len(wire.heard)
        statuses += [receiver.post(ENTRY, f"wrong-again-{number}").status_code for number in range(100)]

        assert {404, 429} == set(statuses)
        assert 429 == statuses[-1]
        assert "close" == receiver.post(ENTRY, "wrong-at-the-end").headers["Connection"]
        assert wire.heard[heard:].count(b"ROLLBACK") < 50  # no transaction for each of them
        assert 202 == receiver.post(ENTRY).status_code


def test_a_hook_takes_no_more_alerts_a_second_than_its_settings_say(receiver: ReceiverProcess) -> None:
    token = receiver.add_hook("slow", HookSettings(max_per_second=2))
    answers = [receiver.post(ENTRY, token) for _ in range(20)]
    refused = [answer for answer in answers if answer.status_code == 429]

    assert {202, 429} == {answer.status_code for answer in answers}
    assert "1" == refused[0].headers["Retry-After"]
    assert "close" == refused[0].headers["Connection"]
    assert "this hook takes 2 a second" in refused[0].json()["detail"]
    assert 202 == receiver.post(ENTRY).status_code


def test_a_hook_takes_alerts_from_its_senders_only(receiver: ReceiverProcess) -> None:
    token = receiver.add_hook("listed", HookSettings(senders=("52.89.214.238",)))
    home = receiver.add_hook("home", HookSettings(senders=("127.0.0.0/8",)))

    answer = receiver.post(ENTRY, token, **{"X-Forwarded-For": "52.89.214.238"})
    assert 403 == answer.status_code
    assert 202 == receiver.post(ENTRY, home).status_code


def test_after_a_rotation_both_tokens_work_until_the_old_one_ends(receiver: ReceiverProcess) -> None:
    old, new = receiver.token, "a-new-token-of-the-first-hook"
    until(lambda: receiver.post(ENTRY, old).status_code == 202)
    receiver.execute(
        "UPDATE hook SET previous_token_hash = token_hash, previous_token_until = now() + interval '1 hour', "
        f"token_hash = '\\x{hash_token(new).hex()}'"
    )
    until(lambda: receiver.post(ENTRY, new).status_code == 202)
    assert 202 == receiver.post(ENTRY, old).status_code
    receiver.execute("UPDATE hook SET previous_token_until = now() - interval '1 second'")
    until(lambda: receiver.post(ENTRY, old).status_code == 404)
    assert 202 == receiver.post(ENTRY, new).status_code


def test_a_removed_hook_is_unknown_soon(receiver: ReceiverProcess) -> None:
    assert 202 == receiver.post(ENTRY).status_code
    receiver.remove_hook("first")

    until(lambda: receiver.post(ENTRY).status_code == 404)


def test_a_clock_far_ahead_is_refused_with_the_skew_and_stops_no_close(receiver: ReceiverProcess) -> None:
    ahead = (machine_now() + timedelta(minutes=30)).isoformat()
    answer = receiver.post(ENTRY | {"timenow": ahead})

    assert (422, "timenow") == (answer.status_code, answer.json()["field"])
    assert "ahead of this computer's clock" in answer.json()["detail"]
    assert 202 == receiver.post({"action": "close", "symbol": "MNQ", "timenow": ahead}).status_code


def test_the_time_of_an_exit_whose_clock_is_far_ahead_does_not_count(receiver: ReceiverProcess) -> None:
    """With it every entry of the next half hour would have been sent before that exit, and so be late."""
    exit_ = {"action": "close", "symbol": "MNQ"}
    for minutes in (30, 0):
        timenow = (machine_now() + timedelta(minutes=minutes)).isoformat()
        assert 202 == receiver.post(exit_ | {"timenow": timenow}).status_code

    assert [(False,), (True,)] == receiver.rows("SELECT sent_at IS NOT NULL FROM alert ORDER BY id")


def test_a_hook_maps_symbols_and_refuses_those_it_does_not_take(receiver: ReceiverProcess) -> None:
    token = receiver.add_hook("mapped", HookSettings(symbols={"NQ": "MNQ"}))

    answer = receiver.post(ENTRY, token)
    assert (422, "symbol") == (answer.status_code, answer.json()["field"])
    assert 202 == receiver.post(ENTRY | {"symbol": "NQ1!"}, token).status_code
    assert [("MNQ",)] == receiver.rows("SELECT root FROM alert WHERE verdict = 'accepted'")


def test_an_alert_whose_body_comes_too_slowly_is_counted(start_receiver: StartReceiver) -> None:
    receiver = start_receiver(body_timeout_s=0.1, constants={"web.receiver.counters:_EVERY_S": 0.1})
    answer = receiver.http.post(f"{receiver.url}/hooks/tv/{receiver.token}", headers={"Content-Length": "10"})

    assert 408 == answer.status_code
    until(lambda: "answers to alerts since the start: 408: 1" in receiver.log())
