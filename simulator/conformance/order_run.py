"""The order questions: whether the account may be used, the confirmation, the steps, and the clean-up."""

import contextlib
import re
import sys
from collections.abc import Iterator

from shared.errors import RefusedError, SettingsError, TickworkError
from simulator.conformance import bracket_steps, order_steps
from simulator.conformance.context import CheckContext
from simulator.conformance.order_session import OrderSession
from simulator.conformance.own_orders import require_empty_contract
from simulator.conformance.results import Check, CheckResult, CheckVerdict, Question, ask_safely, asks

_PRACTICE = re.compile(r"(?i)PRAC")
_MICROS = ("MNQ", "MES", "MYM", "M2K", "MGC", "MCL")

CLEAN_UP = Question("orders.clean_up", "Are the orders of this run cancelled and its positions closed?", "yes")
_STEPS: tuple[Check, ...] = (*order_steps.STEPS, *bracket_steps.STEPS)
_QUESTIONS = tuple(question for step in _STEPS for question in step.questions)


def require_order_account(context: CheckContext) -> None:
    """Raise SettingsError unless the account is a practice account, empty in the contract, and the user confirms."""
    try:
        account, _ = context.account, context.contract_id
    except RefusedError as error:
        raise SettingsError(str(error)) from None
    if account.get("simulated") is not True or not _PRACTICE.match(account["name"]):
        raise SettingsError(
            f"account {account['id']} is no simulated practice account (PRAC...): orders are placed on no other"
        )
    if account.get("canTrade") is not True:
        raise SettingsError(f"account {account['id']} may not trade: choose another practice account")
    if context.options.root not in _MICROS:
        raise SettingsError(f"invalid --contract {context.options.root!r}: with --orders expected {', '.join(_MICROS)}")
    require_empty_contract(context)
    _warn(context)
    if not context.options.is_confirmed:
        _confirm(context)


def _warn(context: CheckContext) -> None:
    sys.stderr.write(
        f"About 30 orders of one or two {context.options.root} will be placed on account {context.account_id} at "
        f"{context.options.url}; three positions of one contract are opened and closed: long, long, and the short one "
        "that a reversal leaves.\n"
        "Nothing else may trade on the account meanwhile: stop or halt a Tickwork stack with it first, as its guard "
        "would stop or flatten these positions.\n"
    )


def _confirm(context: CheckContext) -> None:
    sys.stderr.write("Type the account id to go on: ")
    sys.stderr.flush()
    if not sys.stdin.isatty():
        raise SettingsError("--orders needs a confirmation at a terminal: give --yes to go on without one")
    if sys.stdin.readline().strip() != str(context.account_id):
        raise SettingsError("not confirmed: no order was placed")


@asks(*_QUESTIONS, CLEAN_UP)
def ask_order_questions(context: CheckContext) -> Iterator[CheckResult]:
    """Ask what only orders can answer, and clean up."""
    if not context.options.has_orders:
        reason = "it needs orders: run again with --orders --account ID on a practice account"
        yield from (question.skip(reason) for question in (*_QUESTIONS, CLEAN_UP))
        return
    session = OrderSession(context)
    try:
        for step in _STEPS:
            sys.stderr.write(f"        {step.name}\n")
            if stop_reason := session.stop_reason:
                yield from (question.skip(stop_reason) for question in step.questions)
            else:
                yield from _ask_step(step, session)
    finally:
        session.clean_up()
    left = "; ".join(session.problems)
    if not left or session.is_left_by_gateway:
        yield CLEAN_UP.assess(left or "yes", is_same=not left)
    else:  # an outage, or orders of others, say nothing about the gateway
        yield CLEAN_UP.fail(f"not cleaned up: {left}")


def _ask_step(step: Check, session: OrderSession) -> Iterator[CheckResult]:
    """Yield the results of a step, and tidy; none differs once no plain order is taken any more, as near the close."""
    deferred = session.context.deferred
    for result in ask_safely(step, session):
        if result.verdict is CheckVerdict.DIFFERS:
            deferred.append(result)
        else:
            yield result
    session.tidy()
    reason = _find_refusal(session) if deferred and session.stop_reason is None else None
    session.stop_reason = reason or session.stop_reason
    questions = {question.id: question for question in step.questions}
    if reason:
        deferred[:] = [questions[result.id].skip(reason) for result in deferred]
    while deferred:
        yield deferred[0]
        deferred.pop(0)


def _find_refusal(session: OrderSession) -> str | None:
    """Return why no plain order is taken any more; None if one is, or if its answer does not explain it."""
    with contextlib.suppress(TickworkError):
        return order_steps.find_refusal(session)
    session.tidy()
    return None


CHECKS = (ask_order_questions,)
