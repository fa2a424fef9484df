"""Checks of the connections to both hubs and of the user hub (venue.md sections 7.1, 7.2, 7.4)."""

from collections.abc import Iterator

from shared.errors import RefusedError
from simulator.conformance.context import CheckContext
from simulator.conformance.hub_client import GatewayHub, describe_completion
from simulator.conformance.results import CheckResult, Question, asks

_NEGOTIATE = "/hubs/user/negotiate?negotiateVersion=1"
_PING_AFTER_S = 15
_TOPICS = ("Orders", "Positions", "Trades")

NEGOTIATE = Question(
    "s7.negotiate", "What does a negotiation answer? (7.4)",
    "200 availableTransports, connectionId, connectionToken, negotiateVersion; WebSockets",
)  # fmt: skip
HANDSHAKE = Question("s7.handshake", "How are handshakes answered, at both hubs? (7.1)", "{}, {}")
BAD_TOKEN = Question(
    "s7.bad_token", "What does a wrong token get, at both hubs? (7.1)", "401 without a body, 401 without a body"
)
SUBSCRIBE = Question("s7.subscribe_user", "Are the four subscriptions of the user hub completed? (7.2)", "completed")
UNSUBSCRIBE = Question("s7.unsubscribe_user", "Is an unsubscription completed? (7.2)", "completed")
TEXT_ID = Question(
    "s7.account_id_as_text", "What does SubscribeOrders with an id as text get? (7.2)",
    "error \"Failed to invoke 'SubscribeOrders' due to an error on the server.\"",
)  # fmt: skip
OTHER_ACCOUNT = Question(
    "s7.subscribe_other_account", "What does SubscribeOrders of another account get? (7.2)",
    "error 'Account not found.'",
)  # fmt: skip
NO_METHOD = Question("s7.unknown_method", "What does an unknown method get? (7.3)", "error 'Method does not exist.'")
ACCOUNTS = Question("q15.several_accounts", "May one connection subscribe to several accounts? (13.15)", "yes")
PINGS = Question("s7.ping_interval", "Does the server ping within 15 s of silence? (7.4)", "yes")
TOKEN_ENDS = Question("q4.hub_outlives_token", "Does a hub connection outlive its token? (13.4)", "-")


@asks(NEGOTIATE)
def ask_negotiation(context: CheckContext) -> Iterator[CheckResult]:
    """Ask what a negotiation answers; the hubs may have another host than REST."""
    reply = context.rest.send(_NEGOTIATE, raw=b"", content_type="text/plain", url=context.options.hub_url)
    if not isinstance(reply.document, dict):
        yield NEGOTIATE.compare(reply.describe())
        return
    transports = [row.get("transport") for row in reply.document.get("availableTransports") or []]
    yield NEGOTIATE.compare(f"{reply.status} {', '.join(sorted(reply.document))}; {', '.join(map(str, transports))}")


@asks(HANDSHAKE)
def ask_handshakes(context: CheckContext) -> Iterator[CheckResult]:
    """Ask how connections with a right token are answered."""
    handshakes = []
    for name in ("user", "market"):
        with context.open_hub(name) as hub:
            handshakes.append(str(hub.handshake))
    yield HANDSHAKE.compare(", ".join(handshakes))


@asks(BAD_TOKEN)
def ask_bad_tokens(context: CheckContext) -> Iterator[CheckResult]:
    """Ask how connections with a wrong token are answered."""
    refusals = []
    for name in ("user", "market"):
        try:
            with GatewayHub(context.options.hub_url, name, "garbage", context.samples):
                refusals.append("it is connected")
        except RefusedError as error:
            refusals.append(str(error))
    yield BAD_TOKEN.compare(", ".join(refusals))


@asks(SUBSCRIBE, ACCOUNTS, UNSUBSCRIBE, PINGS)
def ask_user_hub(context: CheckContext) -> Iterator[CheckResult]:
    """Ask how the user hub answers calls, and whether it pings."""
    with context.open_hub("user") as hub:
        calls = [hub.invoke("SubscribeAccounts")]
        calls += [hub.invoke(f"Subscribe{topic}", context.account_id) for topic in _TOPICS]
        described = dict.fromkeys(describe_completion(call) for call in calls)
        yield SUBSCRIBE.compare("; ".join(described))
        yield (
            ACCOUNTS.compare(_subscribe_others(context, hub))
            if len(context.accounts) > 1
            else ACCOUNTS.skip("the user has only one account: run again with a user who has several")
        )
        yield UNSUBSCRIBE.compare(describe_completion(hub.invoke("UnsubscribeOrders", context.account_id)))
        yield _listen_for_pings(hub, context.options.listen_seconds)


# A server may end a connection after an error, without a completion: each of these questions has a connection of its
# own, and an error leaves only one of them open.
@asks(TEXT_ID)
def ask_text_id(context: CheckContext) -> Iterator[CheckResult]:
    """Ask what an account id as text gets."""
    yield TEXT_ID.compare(_call(context, "user", "SubscribeOrders", str(context.account_id)))


@asks(OTHER_ACCOUNT)
def ask_other_account(context: CheckContext) -> Iterator[CheckResult]:
    """Ask what the account of another user gets."""
    yield OTHER_ACCOUNT.compare(_call(context, "user", "SubscribeOrders", 2**31 - 1))


@asks(NO_METHOD)
def ask_unknown_method(context: CheckContext) -> Iterator[CheckResult]:
    """Ask what a method gets that does not exist."""
    yield NO_METHOD.compare(_call(context, "market", "SubscribeContractDepth", context.contract_id))


@asks(TOKEN_ENDS)
def ask_token_end(context: CheckContext) -> Iterator[CheckResult]:  # noqa: ARG001 - every check has it
    """Say how a person can find out whether a hub outlives its token."""
    yield TOKEN_ENDS.skip("it needs 24 hours: leave a client connected for a day, and note when the hub closes")


def _listen_for_pings(hub: GatewayHub, wanted: int) -> CheckResult:
    """Return whether pings come; raise VenueDownError if the hub closes meanwhile."""
    before = hub.ping_count
    hub.listen(min(wanted, _PING_AFTER_S + 2))
    hub.require_open()
    if hub.events and not hub.ping_count:
        return PINGS.skip("events came: run again while the account is quiet")
    if hub.ping_count > before:
        return PINGS.compare("yes")
    if wanted <= _PING_AFTER_S + 1:
        return PINGS.skip(f"{wanted} s are too short: run again with --seconds 20")
    return PINGS.compare(f"no ping in {_PING_AFTER_S + 2} s")


def _call(context: CheckContext, hub_name: str, target: str, argument: object) -> str:
    """Return in a few words what a call gets on a connection of its own."""
    with context.open_hub(hub_name) as hub:
        return describe_completion(hub.invoke(target, argument))


def _subscribe_others(context: CheckContext, hub: GatewayHub) -> str:
    others = [row["id"] for row in context.accounts if row["id"] != context.account_id]
    errors = {describe_completion(hub.invoke("SubscribeOrders", other)) for other in others[:3]} - {"completed"}
    return "; ".join(sorted(errors)) or "yes"


CHECKS = (
    ask_negotiation, ask_handshakes, ask_bad_tokens, ask_user_hub, ask_text_id, ask_other_account, ask_unknown_method,
    ask_token_end,
)  # fmt: skip
