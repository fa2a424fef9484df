"""The reason of a job that anyone may read: a fixed sentence, whatever its error and its result say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import errors
from shared.errors import OrderRejectedError, RiskLimitError
from tests.fixtures.processes import TERMINAL
from web.receiver.job_reason import REFUSALS, RESULTS, RUNS_AGAIN, STATES, describe_job

SECRET = "account 20001 (PRACTICE-77) holds 3 MNQ at 21500.25"
ALL_STATES = sorted({*TERMINAL, "queued", "running"})


@pytest.mark.parametrize(
    ("state", "error", "result", "reason"),
    [
        ("queued", None, None, "it waits for a worker"),
        ("queued", f"PostponedError: {SECRET}", None, RUNS_AGAIN),
        ("running", None, None, "a worker runs it"),
        ("succeeded", None, {"order_id": SECRET}, "it succeeded"),
        ("succeeded", None, {"nothing_to_do": SECRET}, "there was nothing to do"),
        ("succeeded", None, {"denied": None}, "it succeeded"),
        ("failed", f"{RiskLimitError.__name__}: {SECRET}", None, "the risk rules of the account denied it"),
        ("failed", f"{OrderRejectedError.__name__}: {SECRET}", None, "the venue rejected it"),
        ("failed", SECRET, None, "it was refused"),
        (
            "dead",
            f"Traceback (most recent call last):\n{SECRET}",
            None,
            "it has used up its attempts and stays dead until the operator acts",
        ),
        ("cancelled", f"cancelled by a person; before that: {SECRET}", None, "it was cancelled"),
        (
            "expired",
            f"not started before it expired; before that: {SECRET}",
            None,
            "it did not start before it expired",
        ),
    ],
)
def test_each_outcome_has_a_sentence(state: str, error: str | None, result: object, reason: str) -> None:
    assert reason == describe_job(state, error, result)


def test_the_errors_with_a_sentence_are_ours() -> None:
    drawn = errors.__doc__ or ""
    assert [] == [name for name in REFUSALS if name not in drawn]


@given(
    st.sampled_from(ALL_STATES),
    st.none() | st.text() | st.just(f"RiskLimitError: {SECRET}"),
    st.none() | st.dictionaries(st.sampled_from(["nothing_to_do", "denied", "x"]), st.text() | st.integers()),
)
def test_nothing_of_an_error_or_a_result_is_quoted(state: str, error: str | None, result: object) -> None:
    sentences = {*STATES.values(), *REFUSALS.values(), *RESULTS.values(), RUNS_AGAIN}

    assert describe_job(state, error, result) in sentences
