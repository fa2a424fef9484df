"""POST /hooks/v1/{hook_id}: a signed request is the alert of its delivery id, an unsigned one nothing at all."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from sqlalchemy import delete

from shared.db.engine import make_engine
from shared.db.tables.alerts import hook_secret
from shared.domain.alerts.signing_secret import SignatureScheme
from tests.fixtures.processes import until
from tests.fixtures.receiver_process import ENTRY, ReceiverProcess, StartReceiver
from tests.fixtures.signed_hook import (
    GITHUB,
    KEY,
    STANDARD,
    STRIPE,
    SignedHook,
    sign_github,
    sign_standard,
    sign_stripe,
)
from tests.fixtures.wire_tap import WireTap
from web.receiver.limits import WRONG_CREDENTIALS_PER_MINUTE
from web.receiver.signatures import WINDOW_S

pytest_plugins = ("tests.fixtures.receiver",)

RAW = json.dumps(ENTRY).encode()
CLOSE = {"action": "close", "symbol": "MNQ"}
SIGNERS: dict[SignatureScheme, Callable[[bytes], dict[str, str]]] = {
    STANDARD: sign_standard,
    GITHUB: sign_github,
    STRIPE: sign_stripe,
}


@pytest.fixture
def hook(receiver: ReceiverProcess) -> SignedHook:
    """A hook with a secret of every scheme."""
    return SignedHook(receiver, STANDARD, GITHUB, STRIPE)


@pytest.fixture
def new_hook(start_receiver: StartReceiver) -> SignedHook:
    """A hook with a secret of every scheme, of a receiver to which no wrong signature was sent yet."""
    return SignedHook(start_receiver(), STANDARD, GITHUB, STRIPE)


@pytest.mark.parametrize("scheme", SIGNERS)
def test_a_signed_alert_is_a_row_and_a_job(hook: SignedHook, scheme: SignatureScheme) -> None:
    headers = SIGNERS[scheme](RAW)

    answer = hook.post(RAW, headers)
    resent = hook.post(RAW, headers)

    assert (202, 202) == (answer.status_code, resent.status_code), answer.text
    assert answer.json() | {"duplicate": True} == resent.json()
    assert f"{hook.receiver.url}/jobs/{answer.json()['job_id']}" == answer.headers["Location"]
    assert [(RAW, "accepted")] == hook.receiver.rows("SELECT body, verdict FROM alert")
    assert [("alerts.handle_alert", "high")] == hook.receiver.rows("SELECT name, queue FROM job")


def test_a_slash_at_the_end_of_the_signed_url_is_taken(hook: SignedHook) -> None:
    assert 202 == hook.post_to(f"/hooks/v1/{hook.id}/", RAW, sign_standard(RAW)).status_code


@pytest.mark.parametrize("alert", [ENTRY, CLOSE, ENTRY | {"id": "Long"}, {"action": "test", "symbol": "MNQ"}])
def test_a_resend_has_the_id_and_need_not_have_the_signature_or_time_of_the_first(
    hook: SignedHook, alert: dict[str, object]
) -> None:
    first = hook.post(alert, ago_s=200)
    hook.receiver.age_alerts(minutes=40)

    second = hook.post(alert)

    assert (202, first.json() | {"duplicate": True}) == (second.status_code, second.json())
    assert (1, 1) == (hook.receiver.count("alert"), hook.receiver.count("job"))


def test_the_same_body_with_another_delivery_id_is_another_alert(hook: SignedHook) -> None:
    alert = ENTRY | {"id": "Long", "timenow": "10:00"}

    answers = [hook.post(alert, id_=id_) for id_ in ("msg_1", "msg_2")]

    assert [(202, False)] * 2 == [(answer.status_code, "duplicate" in answer.json()) for answer in answers]
    assert 2 == hook.receiver.count("job")


@pytest.mark.parametrize("alert", [ENTRY, CLOSE])
def test_the_same_delivery_id_with_another_body_is_a_loud_conflict(hook: SignedHook, alert: dict[str, object]) -> None:
    hook.post(alert)

    answer = hook.post(alert | {"note": "other"})

    assert (409, "body") == (answer.status_code, answer.json()["field"])
    assert "delivery id 'msg_1' belongs to another body" in answer.json()["detail"]
    assert 1 == hook.receiver.count("job")
    assert [("accepted",), ("refused",)] == hook.receiver.rows("SELECT verdict FROM alert ORDER BY id")


def test_a_conflict_keeps_its_reason_if_jsonb_cannot_store_its_body(hook: SignedHook) -> None:
    raw = b'{"action": "buy", "symbol": "MNQ", "quantity": 1, "stop_loss_ticks": 40, "id": "Long", "note": NaN}'
    ahead = raw.replace(b'"Long"', b'"x", "timenow": "2100-01-01T00:00:00Z"')
    hook.post(ENTRY)
    hook.receiver.post(ENTRY | {"id": "Long"})

    answers = [hook.post(raw), hook.receiver.post(raw), hook.receiver.post(ahead)]

    assert [409, 409, 422] == [answer.status_code for answer in answers]
    stored = hook.receiver.rows("SELECT body, reason FROM alert WHERE verdict = 'refused' ORDER BY id")
    expected = zip((raw, raw, ahead), answers, strict=True)
    assert [(body, f"{one.status_code}: {one.json()['detail']}") for body, one in expected] == stored


def test_twenty_bodies_with_one_delivery_id_at_once_are_one_job_and_no_quiet_duplicate(hook: SignedHook) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda number: hook.post(CLOSE | {"note": number}), range(20)))

    assert [202] + [409] * 19 == sorted(answer.status_code for answer in answers)
    assert 1 == hook.receiver.count("job")


def test_twenty_bodies_with_one_id_at_once_are_one_job_and_no_quiet_duplicate(receiver: ReceiverProcess) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda number: receiver.post(ENTRY | {"id": "Long", "note": number}), range(20)))

    assert [202] + [409] * 19 == sorted(answer.status_code for answer in answers)
    assert 1 == receiver.count("job")


def test_a_refused_alert_may_be_sent_again_with_its_delivery_id(hook: SignedHook) -> None:
    assert 422 == hook.post(ENTRY | {"quantity": 0}).status_code
    assert 202 == hook.post(ENTRY).status_code


def test_every_reason_for_which_a_sender_is_not_let_in_has_one_answer(new_hook: SignedHook) -> None:
    headers = sign_standard(RAW)
    wrong = headers | {"webhook-signature": headers["webhook-signature"].replace("v1,", "v1a,")}
    tampered = RAW.replace(b'"buy"', b'"sell"')
    answers = [
        new_hook.post(RAW, wrong),
        new_hook.post(tampered, headers),
        new_hook.post(RAW, {}),
        new_hook.post(RAW, headers | {"webhook-timestamp": "9" * 400}),
        new_hook.post(RAW, headers | {"webhook-id": "\xe9"}),
        new_hook.post(RAW, {"Stripe-Signature": "t=\xff,v1="}),
        new_hook.post(RAW, {"X-GitHub-Delivery": "1", "X-Hub-Signature-256": "sha256=%"}),
        new_hook.post(b"\xff\xfe", headers),
        new_hook.post(RAW, sign_standard(RAW, key=KEY[:-1])),
        new_hook.post_to(f"/hooks/v1/{uuid4()}", RAW, headers),
        new_hook.post_to("/hooks/v1/no-id", RAW, headers),
        new_hook.post_to(f"/hooks/v1/{new_hook.receiver.token}", RAW, headers),
    ]
    new_hook.receiver.remove_hook("first")
    until(lambda: new_hook.post(RAW).status_code == 401, what="a receiver that knows of the removal")
    answers.append(new_hook.post(RAW))

    assert {(401, answers[0].content, answers[0].headers["WWW-Authenticate"])} == {
        (answer.status_code, answer.content, answer.headers["WWW-Authenticate"]) for answer in answers
    }
    assert "application/problem+json" == answers[0].headers["Content-Type"]
    assert [] == new_hook.receiver.rows("SELECT 1 FROM alert WHERE verdict = 'refused'")
    assert "Traceback" not in new_hook.receiver.log()


def test_a_right_signature_outside_the_window_is_refused_with_the_skew(new_hook: SignedHook) -> None:
    late, early = new_hook.post(RAW, ago_s=WINDOW_S + 20), new_hook.post(RAW, ago_s=-WINDOW_S - 20)
    by_stripe = new_hook.post(RAW, sign_stripe(RAW, ago_s=WINDOW_S + 20))

    assert [401, 401, 401] == [answer.status_code for answer in (late, early, by_stripe)]
    assert "s behind this computer's clock" in late.json()["detail"]
    assert "s ahead of this computer's clock" in early.json()["detail"]
    assert 0 == new_hook.receiver.count("alert")
    assert [202] * 2 == [
        new_hook.post(RAW, ago_s=ago, id_=str(ago)).status_code for ago in (WINDOW_S - 20, 20 - WINDOW_S)
    ]


def test_a_large_body_is_refused_before_its_hook_is_looked_up_and_not_stored(new_hook: SignedHook) -> None:
    large = b" " * 17_000
    answers = [new_hook.post(large), new_hook.post_to(f"/hooks/v1/{uuid4()}", large, {})]

    assert [413, 413] == [answer.status_code for answer in answers]
    assert answers[0].content == answers[1].content
    assert 0 == new_hook.receiver.count("alert")


def test_a_hook_takes_signatures_of_its_old_and_new_secret_until_the_old_one_ends(hook: SignedHook) -> None:
    new = b"another-key-of-the-sender-itself"
    hook.add_secret(STANDARD, new)
    assert [202, 202] == [hook.post(RAW, id_=key.decode()[:7], key=key).status_code for key in (KEY, new)]

    hook.receiver.execute(
        "UPDATE hook_secret SET expires_at = now() + interval '1 second' WHERE secret = :key", key=KEY
    )
    until(lambda: hook.post(RAW).status_code == 401, what="the end of the old secret")
    assert 202 == hook.post(RAW, key=new).status_code


def test_a_secret_that_is_deleted_signs_nothing(hook: SignedHook) -> None:
    assert 202 == hook.post(RAW).status_code
    engine = make_engine(hook.receiver.database_url, program="test")
    with engine.begin() as connection:
        connection.execute(delete(hook_secret))
    engine.dispose()

    until(lambda: hook.post(RAW, id_="msg_2").status_code == 401, what="a receiver that knows of the deletion")


def test_while_postgres_is_away_a_signed_alert_is_spooled_with_its_delivery_id(
    hook: SignedHook, to_postgres: WireTap
) -> None:
    hook.post(CLOSE, id_="before")
    to_postgres.refuse()
    spooled = hook.post(CLOSE)
    assert (202, True) == (spooled.status_code, spooled.json()["spooled"])

    to_postgres.restore()
    until(lambda: hook.receiver.count("job") == 2)
    until(lambda: hook.post(CLOSE).json().get("duplicate"), what="a resend that is known")
    assert spooled.json()["job_id"] == hook.post(CLOSE).json()["job_id"]
    assert 2 == hook.receiver.count("job")


@pytest.mark.usefixtures("broker")  # with room for a wake-up
def test_a_secret_is_in_no_log_answer_or_alert_and_in_no_message_to_the_broker(
    hook: SignedHook, to_postgres: WireTap, to_broker: WireTap
) -> None:
    answers = [hook.post(body) for body in (RAW, b"{", b" " * 20_000)]
    answers += [hook.post(RAW, sign_standard(RAW, key=KEY[:-1])), hook.post(RAW, ago_s=WINDOW_S + 20)]
    until(lambda: b"alerts.handle_alert" in to_broker.heard)
    to_postgres.refuse()
    answers.append(hook.post(RAW, id_="msg_2"))

    stored = hook.receiver.rows("SELECT row_to_json(alert)::text FROM alert UNION ALL SELECT arguments::text FROM job")
    spooled = b"".join(file.read_bytes() for file in (hook.receiver.home / "spool").iterdir())
    shown = "".join(answer.text + str(answer.headers) for answer in answers)
    places = [hook.receiver.log(), str(stored), str(spooled), shown, str(bytes(to_broker.heard))]
    for place in places:
        assert KEY.decode() not in place
        assert KEY.hex() not in place
    assert "alert accepted" in places[0]
    assert "Traceback" not in places[0]


def test_wrong_signatures_cost_no_database_work_and_become_a_429(
    start_receiver: StartReceiver, database_url: str
) -> None:
    with WireTap(database_url) as wire:
        hook = SignedHook(start_receiver(through=wire.url, misses_per_minute=WRONG_CREDENTIALS_PER_MINUTE), STANDARD)
        wrong = sign_standard(RAW, key=b"x" * 32)
        statuses = [hook.post(RAW, wrong).status_code for _ in range(10 * WRONG_CREDENTIALS_PER_MINUTE)]
        heard = len(wire.heard)
        statuses += [hook.post(RAW, wrong).status_code for _ in range(100)]

        assert {401, 429} == set(statuses)
        assert 429 == statuses[-1]
        assert wire.heard[heard:].count(b"ROLLBACK") < 50  # no transaction for each of them
        assert 202 == hook.post(RAW).status_code
