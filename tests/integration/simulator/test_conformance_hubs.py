"""The hub and limit questions of a conformance run while the gateway fails: an outage is no answer."""

import threading

import pytest
from websockets.sync.server import ServerConnection, serve

from shared.errors import RefusedError, VenueDownError
from simulator.conformance import hub_checks, limit_checks, market_checks
from simulator.conformance.budget import BARS
from simulator.conformance.context import CheckContext
from simulator.conformance.hub_client import GatewayHub
from simulator.conformance.results import Check, CheckResult, CheckVerdict, ask_safely
from tests.fixtures.order_sessions import context_of
from tests.fixtures.processes import until
from tests.fixtures.venue import RunningVenue, StartVenue


def close_hubs(venue: RunningVenue, context: CheckContext) -> None:
    """Let the hubs refuse every connection from now on."""
    with context.open_hub("user") as hub:
        venue.faults(path="hub_gap", count=1, seconds=600)
        while hub.closed_with is None:
            hub.listen(0.1)


@pytest.mark.parametrize(
    "check",
    [
        hub_checks.ask_negotiation,
        hub_checks.ask_handshakes,
        hub_checks.ask_bad_tokens,
        hub_checks.ask_user_hub,
        market_checks.ask_market_hub,
    ],
    ids=lambda check: check.name,
)
def test_a_hub_that_cannot_serve_answers_no_question(venue: RunningVenue, check: Check) -> None:
    context = context_of(venue)
    close_hubs(venue, context)
    results = list(ask_safely(check, context))

    assert {question.id for question in check.questions} == {row.id for row in results}
    assert all(row.is_failed for row in results)
    assert all("answered 503" in row.observed for row in results)


def test_a_hub_that_refuses_a_token_has_answered(venue: RunningVenue) -> None:
    context = context_of(venue)
    with pytest.raises(RefusedError, match="401 without a body"):
        GatewayHub(venue.url, "user", "garbage", context.samples)
    close_hubs(venue, context)
    with pytest.raises(VenueDownError, match="503"):
        context.open_hub("user")


@pytest.mark.parametrize("text", ["no JSON", '{"type": 1}', "[]"])
def test_a_record_that_cannot_be_read_is_told_by_those_who_ask_for_events_and_hurts_no_listener(
    venue: RunningVenue, text: str
) -> None:
    """Clean-ups and waits for the limit of requests listen too."""

    def speak(connection: ServerConnection) -> None:
        connection.recv()
        connection.send("{}\x1e")
        connection.send(f"{text}\x1e" + '{"type": 6}\x1e')
        connection.recv()

    with serve(speak, "127.0.0.1", 0) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        host, port = server.socket.getsockname()
        with GatewayHub(f"http://{host}:{port}", "user", "a token", context_of(venue).samples) as hub:
            hub.listen(1)
            with pytest.raises(RefusedError, match="a record of the hub"):
                hub.require_open()
        server.shutdown()
        serving.join()


def test_a_hub_that_closes_while_it_is_listened_to_leaves_only_the_pings_open(venue: RunningVenue) -> None:
    context = context_of(venue, "--seconds", "20")
    results = dict[str, CheckResult]()

    def ask() -> None:
        for check in (
            hub_checks.ask_user_hub, hub_checks.ask_text_id, hub_checks.ask_other_account,
            hub_checks.ask_unknown_method,
        ):  # fmt: skip
            results.update((row.id, row) for row in ask_safely(check, context))

    asking = threading.Thread(target=ask)
    asking.start()
    until(lambda: hub_checks.UNSUBSCRIBE.id in results, what="the questions before the pings")
    venue.faults(path="hub_drop", count=1)
    asking.join()

    pings = results.pop(hub_checks.PINGS.id)
    assert pings.is_failed
    assert "the hub closed: a cut connection" in pings.observed
    others = {row.id for row in results.values() if row.verdict is CheckVerdict.SAME}
    assert {"s7.unsubscribe_user", "s7.account_id_as_text", "s7.subscribe_other_account", "s7.unknown_method"} <= others


def test_a_second_login_that_must_wait_is_done_before_the_limit_is_spent(
    start_venue: StartVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limit_checks, "_WINDOW_S", 0)
    venue = start_venue(limits=True)
    context = context_of(venue, "--rate-limits")
    before, at_wait = bars_requested(venue), list[int]()
    monkeypatch.setattr(context.rest.budget, "wait", lambda _: at_wait.append(bars_requested(venue)))
    venue.faults(path="/api/Auth/loginKey", kind="status", status=429, count=1)
    scope = next(row for row in limit_checks.ask_limits.ask(context) if row.id == limit_checks.SCOPE.id)

    assert [before] == at_wait
    assert ("no", CheckVerdict.SAME) == (scope.observed, scope.verdict)


def bars_requested(venue: RunningVenue) -> int:
    return len(venue.requests(BARS))
