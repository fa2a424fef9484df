"""The open questions of venue.md section 13 that no program can ask, each with what a person can do."""

from collections.abc import Iterator

from simulator.conformance.context import CheckContext
from simulator.conformance.results import CheckResult, Question, asks

_REASONS = {
    Question("q1.tag_lifetime", "Is a tag unique for ever? (13.1)", "for ever"): (
        "it needs days: place an order with a tag of an earlier day by hand, far from the market"
    ),
    Question("q1.tag_atomicity", "Can two orders with one tag, sent at once, both pass? (13.1)", "no"): (
        "both could fill: only a person at the screen should try, with two far limit orders"
    ),
    Question("q4.gateway_logout", "When is GatewayLogout sent? (13.4)", "-"): (
        "it needs a maintenance or a login elsewhere: log in on the platform while a client is connected"
    ),
    Question("q6.resize_leg", "Can a bracket leg be resized, and is its sibling? (13.6)", "the sibling stays"): (
        "it needs two contracts: this run trades one"
    ),
    Question("q6.partial_close", "Does a partial close resize the legs? (13.6)", "no"): (
        "it needs two contracts: this run trades one"
    ),
    Question("q8.position_limit", "Which text has a refusal because of the position limit? (13.8)", "-"): (
        "a too large order could be accepted: read it in your own log if it happens"
    ),
    Question("q8.loss_limit", "Which code follows a loss limit: 4, 10 or 2? (13.8)", "4, or 10 when locked"): (
        "it needs a lost account: read it in your own log if it happens"
    ),
    Question("q16.scaling_plan", "What are the scaling plan and the consistency percentage? (13.16)", "section 9"): (
        "no endpoint has them: read them on the dashboard"
    ),
}  # fmt: skip


@asks(*_REASONS)
def ask_nothing(context: CheckContext) -> Iterator[CheckResult]:  # noqa: ARG001 - every check has it
    """List what a person must ask."""
    for question, reason in _REASONS.items():
        yield question.skip(reason)


CHECKS = (ask_nothing,)
