"""Why a job is in its state, in a fixed sentence: no figure, no account and no traceback reaches an open route."""

import re

STATES = {
    "queued": "it waits for a worker",
    "running": "a worker runs it",
    "succeeded": "it succeeded",
    "failed": "it was refused",
    "dead": "it has used up its attempts and stays dead until the operator acts",
    "cancelled": "it was cancelled",
    "expired": "it did not start before it expired",
}
RUNS_AGAIN = "it was interrupted or has to wait, and will run again"
# By the name of the error, which begins the text of a refusal.
REFUSALS = {
    "RiskLimitError": "the risk rules of the account denied it",
    "OrderRejectedError": "the venue rejected it",
    "OutsideCalendarError": "the market hours of its date are not known",
    "InvalidAlertError": "the alert is not valid",
    "RefusedAlertError": "the alert is not valid",
    "HaltError": "new entries are halted",
    "PositionMismatchError": "new entries are halted: the venue reports another position",
    "CredentialsRefusedError": "new entries are halted: the venue refuses the login",
}
RESULTS = {
    "nothing_to_do": "there was nothing to do",
    "denied": "the risk rules of the account denied it",
}
_CLASS = re.compile(r"\w+")


def describe_job(state: str, error: str | None, result: object) -> str:
    """Return the reason; no part of the error or the result is quoted."""
    if state == "queued" and error is not None:
        return RUNS_AGAIN
    if state == "failed" and error is not None and (named := _CLASS.match(error)):
        return REFUSALS.get(named.group(), STATES[state])
    if state == "succeeded" and isinstance(result, dict):
        return next((reason for key, reason in RESULTS.items() if result.get(key)), STATES[state])
    return STATES[state]
