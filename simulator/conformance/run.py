"""The run: log in, load what the checks need, ask every check, and never let one stop the others."""

import sys
from collections.abc import Iterator

from simulator.conformance import (
    bar_checks,
    contract_checks,
    hub_checks,
    leniency_checks,
    limit_checks,
    login_checks,
    market_checks,
    order_run,
    search_checks,
    unasked,
)
from simulator.conformance.context import CheckContext
from simulator.conformance.options import ConformanceOptions
from simulator.conformance.redaction import Redactor, SampleBook
from simulator.conformance.rest import GatewayRest
from simulator.conformance.results import Check, CheckResult, ask_safely

# The order questions come before the searches, which then have rows.
_MODULES = (
    login_checks, contract_checks, bar_checks, order_run, search_checks, leniency_checks, hub_checks, market_checks,
    limit_checks, unasked,
)  # fmt: skip
CHECKS: tuple[Check, ...] = tuple(check for module in _MODULES for check in module.CHECKS)


def start_run(options: ConformanceOptions) -> CheckContext:
    """Log in and load accounts, contracts and the newest bar; raise TickworkError if that is not possible."""
    samples, redactor = SampleBook(), Redactor()
    redactor.hide(options.user, "user")
    redactor.hide(options.key, "key")
    rest = GatewayRest(options.url, options.user, options.key, samples, redactor)
    login = rest.log_in()
    rest.token = login.document["token"]
    context = CheckContext(options, rest, samples, redactor, login)
    context.load()
    if options.has_orders:
        order_run.require_order_account(context)
    return context


def ask_all(context: CheckContext) -> Iterator[CheckResult]:
    """Yield the result of each question, with a line of progress for each check on stderr."""
    for number, check in enumerate(CHECKS, 1):
        sys.stderr.write(f"[{number:2}/{len(CHECKS)}] {check.name}\n")
        yield from ask_safely(check, context)
