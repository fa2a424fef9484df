"""A test alert through the public URL: what `doctor`, the schedule and `status` make of a way in that works or not."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from msgspec.structs import replace

from shared.ledger.jobs.upkeep import DeleteOldRows, ProbeReceiver
from tests.fixtures.receiver_process import ENTRY, UNLIMITED, StartReceiver
from tests.fixtures.runner_env import RunnerEnv
from tests.integration.cli.reach import PUBLIC_URL, Reach, open_reach, resolve_to
from tests.integration.cli.shell import Shell

pytest_plugins = ("tests.fixtures.receiver",)

EVENTS = "SELECT kind, message FROM account_event ORDER BY id"


@pytest.fixture
def reach(
    shell: Shell,
    start_receiver: StartReceiver,
    runner_env: RunnerEnv,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Reach]:
    with open_reach(shell, start_receiver(), runner_env, redis_url, monkeypatch) as found:
        yield found


def test_doctor_posts_a_test_alert_on_this_computer_and_through_the_public_url(reach: Reach) -> None:
    checks = reach.doctor(expected=0)

    assert {"fine"} == {checks[name]["state"] for name in ("receiver", "public URL")}
    assert checks["receiver"]["detail"].startswith(f"{reach.receiver.url} accepted a test alert with 202 in ")
    assert checks["public URL"]["detail"].startswith(f"{PUBLIC_URL} accepted a test alert with 202 in ")
    assert checks["public URL"]["detail"].endswith("its job succeeded")
    assert b"POST /hooks/tv/" in reach.proxy.heard
    alerts = "SELECT DISTINCT hook.name, action, root, verdict FROM alert JOIN hook ON hook.id = hook_id"
    assert [("probe", "TEST", "MNQ", "accepted")] == reach.receiver.rows(alerts)
    assert 2 == reach.receiver.count("alert")
    assert 0 == reach.receiver.count("signal")


def test_the_token_of_the_test_alerts_is_in_a_private_file_and_nowhere_else(reach: Reach) -> None:
    checks = reach.doctor(expected=0)

    assert 0o600 == (reach.shell.home / "probe-token").stat().st_mode & 0o777
    assert reach.token not in str(checks) + str(reach.receiver.rows("SELECT * FROM hook")) + reach.receiver.log()
    first = reach.token
    reach.doctor(expected=0)
    assert first == reach.token  # kept, as its hook is


def test_doctor_tells_a_dead_public_url_from_a_dead_receiver(reach: Reach) -> None:
    reach.proxy.refuse()

    checks = reach.doctor(expected=1)

    assert ("fine", "wrong") == (checks["receiver"]["state"], checks["public URL"]["state"])
    assert checks["public URL"]["detail"].startswith(f"{PUBLIC_URL} does not answer over IPv4: ")
    assert reach.token not in checks["public URL"]["detail"]


def test_doctor_reports_a_test_alert_whose_job_no_worker_runs(reach: Reach, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.client.receiver_check._JOB_TIMEOUT_S", 0.1)

    checks = reach.shell.json("doctor", expected=1)["checks"]

    assert any("its job is queued after" in one["detail"] and one["state"] == "wrong" for one in checks)


def test_status_shows_the_last_success_and_the_last_failure_of_the_public_url(reach: Reach) -> None:
    assert reach.public_url()["is_reached"] is None
    assert "no test alert yet" in reach.line()

    assert "succeeded" == reach.run(ProbeReceiver()).state
    reached = reach.public_url()
    assert (PUBLIC_URL, True, None) == (reached["url"], reached["is_reached"], reached["error"])
    assert "a test alert was accepted " in reach.line()

    reach.proxy.refuse()
    assert "failed" == reach.run(ProbeReceiver()).state
    lost = reach.public_url()
    assert (False, reached["reached_at"]) == (lost["is_reached"], lost["reached_at"])
    assert lost["error"].startswith(f"{PUBLIC_URL} does not answer")
    assert "ALERTS DO NOT ARRIVE" in reach.line()

    reach.proxy.restore()
    assert "succeeded" == reach.run(ProbeReceiver()).state
    assert (True, lost["error"]) == (reach.public_url()["is_reached"], reach.public_url()["error"])
    assert "last failure" in reach.line()

    reach.runner_env.execute("UPDATE job SET finished_at = finished_at - interval '20 minutes'")
    assert reach.public_url()["is_reached"] is None
    assert "NOT TESTED lately" in reach.line()


def test_the_loss_of_the_public_url_and_its_return_are_one_event_each(reach: Reach) -> None:
    reach.run(ProbeReceiver())
    assert [] == reach.receiver.rows(EVENTS)

    reach.proxy.refuse()
    reach.run(ProbeReceiver())
    reach.run(ProbeReceiver())
    reach.proxy.restore()
    reach.run(ProbeReceiver())
    reach.run(ProbeReceiver())

    (lost, first), (again, second) = reach.receiver.rows(EVENTS)
    assert ("receiver_unreachable", "receiver_reachable") == (lost, again)
    assert first.startswith(f"alerts from the internet do not arrive: {PUBLIC_URL} does not answer")
    assert f"alerts from the internet arrive again at {PUBLIC_URL}" == second


def test_a_way_in_that_hangs_is_reported_after_the_timeout_of_a_sender(
    reach: Reach, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.receiver_probe._SENDER_TIMEOUT_S", 0.2)
    reach.proxy.block()

    outcome = reach.run(ProbeReceiver())

    assert ("failed", True) == (outcome.state, "timed out" in (outcome.error or ""))


def test_without_a_public_url_nothing_is_posted(reach: Reach) -> None:
    assert None is reach.runner_env.runner.run(reach.runner_env.ledger.enqueue(ProbeReceiver()).job_id).result
    assert 0 == reach.receiver.count("alert")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (404, "answered 404: it does not lead to the receiver of this stack"),
        (301, "answered 301: expected 202 from the receiver"),
        (530, "answered 530: expected 202 from the receiver"),
        (202, "answered 202 without a job: another program than the receiver"),
    ],
)
def test_another_program_behind_the_public_url_is_named_and_its_answer_is_not_repeated(
    reach: Reach, monkeypatch: pytest.MonkeyPatch, status: int, expected: str
) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the name that the library calls
            self.send_response(status)
            self.send_header("Location", f"https://elsewhere.example.com{self.path}")
            self.end_headers()
            self.wfile.write(f"Cannot POST {self.path}".encode())

        def log_message(self, *_: object) -> None:
            pass

    monkeypatch.setattr("shared.receiver_probe._RETRY_NEW_TOKEN_AFTER_S", (0.01,))
    with ThreadingHTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        resolve_to(f"http://127.0.0.1:{server.server_port}", monkeypatch)
        outcome = reach.run(ProbeReceiver())
        server.shutdown()

    assert ("failed", True) == (outcome.state, expected in (outcome.error or ""))
    assert reach.token not in str(reach.receiver.rows("SELECT error FROM job"))
    assert reach.token not in str(reach.receiver.rows(EVENTS))


@pytest.mark.parametrize("body", [ENTRY, {"action": "close", "symbol": "MNQ"}], ids=["entry", "exit"])
def test_the_hook_of_the_test_alerts_takes_no_other_alert(reach: Reach, body: dict[str, Any]) -> None:
    reach.run(ProbeReceiver())

    answer = reach.receiver.post(body, reach.token)

    assert (422, "action") == (answer.status_code, answer.json()["field"])


@pytest.mark.parametrize("loss", ["the file", "the hook", "the token in the file"])
def test_a_lost_token_or_hook_is_replaced_and_the_former_token_is_no_longer_valid(reach: Reach, loss: str) -> None:
    reach.run(ProbeReceiver())
    former, file = reach.token, reach.shell.home / "probe-token"
    match loss:
        case "the file":
            file.unlink()
        case "the hook":
            reach.receiver.remove_hook("probe")
        case _:
            file.write_text("another")

    assert "succeeded" == reach.run(ProbeReceiver()).state
    assert former != reach.token
    assert 404 == reach.receiver.post({"action": "test", "symbol": "MNQ"}, former).status_code
    assert 1 == len(reach.receiver.rows("SELECT 1 FROM hook WHERE name = 'probe'"))


def test_a_hook_of_yours_called_probe_keeps_its_token_until_you_remove_it(reach: Reach) -> None:
    token = reach.receiver.add_hook("probe")

    outcome = reach.run(ProbeReceiver())

    assert ("failed", True) == (outcome.state, "a hook of yours is named probe" in (outcome.error or ""))
    assert 202 == reach.receiver.post(ENTRY, token).status_code
    assert {"removed": "probe"} == reach.shell.json("hooks", "remove", "probe", "--yes", expected=0)
    assert "succeeded" == reach.run(ProbeReceiver()).state


@pytest.mark.parametrize(
    "words",
    [
        ("remove",),
        ("rotate",),
        ("pause",),
        ("resume",),
        ("set", "--rate", "1"),
        ("secret", "add", "--scheme", "github"),
    ],
)
def test_the_stacks_own_hook_is_not_changed_or_removed(reach: Reach, words: tuple[str, ...]) -> None:
    reach.run(ProbeReceiver())
    command = ("hooks", *words[:-2], "probe", *words[-2:]) if len(words) > 1 else ("hooks", *words, "probe")

    refused = reach.shell.json(*command, expected=1)["error"]

    assert refused.startswith("hook 'probe' is the stack's own, and is not changed or removed: ")
    assert "probe" == reach.shell.json("hooks", "show", "probe", expected=0)["name"]
    assert "succeeded" == reach.run(ProbeReceiver()).state


def test_old_test_alerts_and_their_jobs_are_deleted_and_status_still_knows_the_last_ones(reach: Reach) -> None:
    reach.receiver.post(ENTRY)  # an alert of a person's hook is kept for good
    for _ in range(3):
        reach.doctor(expected=0)
        reach.run(ProbeReceiver())
    reach.proxy.refuse()
    reach.run(ProbeReceiver())
    reach.run(ProbeReceiver())
    reach.runner_env.execute("UPDATE job SET finished_at = finished_at - interval '1 hour' WHERE finished_at NOTNULL")
    reach.runner_env.execute("UPDATE alert SET received_at = received_at - interval '1 hour'")
    before = reach.public_url()
    (waiting,) = reach.receiver.rows("SELECT count(*) FROM job WHERE state = 'queued'")[0]

    reach.run(DeleteOldRows())

    assert (before["reached_at"], before["error"]) == (reach.public_url()["reached_at"], reach.public_url()["error"])
    assert [("failed", 1), ("succeeded", 1)] == reach.receiver.rows(
        "SELECT state, count(*) FROM job WHERE name = 'upkeep.probe_receiver' GROUP BY state ORDER BY state"
    )
    handled = "SELECT count(*) FROM job WHERE name = 'alerts.handle_alert' AND finished_at IS NOT NULL"
    mine = "SELECT count(*) FROM alert JOIN hook ON hook.id = hook_id WHERE hook.name = 'first'"
    tests = "SELECT count(*) FROM alert JOIN hook ON hook.id = hook_id WHERE hook.name = 'probe'"
    assert (1, 1) == (reach.receiver.rows(mine)[0][0], reach.receiver.rows(handled)[0][0])
    assert waiting == reach.receiver.rows(tests)[0][0]  # only those whose job has not run


def test_a_list_of_senders_that_no_proxy_lets_be_checked_is_reported(reach: Reach) -> None:
    """The setting may be missing after a restart, and a list may be older than the public URL."""
    reach.receiver.add_hook("listed", replace(UNLIMITED, senders=("52.89.214.238",)))
    refused = "Hook listed refuses every alert that comes through "
    checks = reach.doctor(expected=1)

    assert ("wrong", True) == (checks["senders"]["state"], checks["senders"]["detail"].startswith(refused))
    assert [True] == [
        alarm["message"].startswith(refused) for alarm in reach.shell.json("status", expected=0)["alarms"]
    ]


@pytest.mark.parametrize(
    "words", [("add", "mine"), ("rotate", "first"), ("secret", "add", "first", "--scheme", "github")]
)
def test_a_hooks_url_begins_with_the_public_url_of_the_shell_and_a_warning_names_that_of_the_stack(
    reach: Reach, words: tuple[str, ...]
) -> None:
    other = {"TICKWORK_PUBLIC_URL": "https://other.example.com"}
    warning = f"TICKWORK_PUBLIC_URL is https://other.example.com in this shell, and {PUBLIC_URL} in the running stack: "

    as_json = reach.shell.json("hooks", *words, expected=0, **other)
    text = reach.shell.run("hooks", *("another" if word == "mine" else word for word in words), **other)
    unset = reach.shell.json("hooks", *("third" if word == "mine" else word for word in words), expected=0)

    assert as_json["url"].startswith("https://other.example.com/hooks/")
    assert as_json["warning"].startswith(warning)
    assert (0, True, True) == (text.status, "https://other.example.com/hooks/" in text.stdout, warning in text.stderr)
    assert unset["url"].startswith(f"{PUBLIC_URL}/hooks/")
    assert unset["warning"] is None


def test_doctor_posts_through_the_public_url_of_the_shell_and_names_that_of_the_stack(reach: Reach) -> None:
    found = reach.shell.json("doctor", expected=1, TICKWORK_PUBLIC_URL=f"{PUBLIC_URL}/door")["checks"]
    checks = {one["name"]: one for one in found}

    assert checks["public URL"]["detail"].startswith(f"{PUBLIC_URL}/door answered 404")
    assert "wrong" == checks["settings"]["state"]
    assert f"and {PUBLIC_URL} in the running stack" in checks["settings"]["detail"]
    assert "settings" not in reach.doctor(expected=0)

    (reach.shell.home / "settings.toml").write_text("max_quantity = 0\n")
    assert ["settings"] == [name for name, one in reach.doctor(expected=1).items() if one["state"] == "wrong"]
    added = reach.shell.json("hooks", "add", "mine", expected=0)
    assert added["url"].startswith(f"{PUBLIC_URL}/hooks/")
    assert "invalid max_quantity '0'" in added["warning"]
