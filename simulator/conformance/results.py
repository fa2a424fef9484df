"""Questions, checks and results: what is asked, how, and what came out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from shared.errors import RefusedError, TickworkError, VenueDownError
from shared.log import mask_secrets


class CannotAskError(TickworkError):
    """The user has nothing to ask with, which says nothing about the gateway; the message says what to give."""


class CheckVerdict(StrEnum):
    """How the gateway compares with the simulator; ANSWERED is a fact that the simulator has no counterpart of."""

    SAME = "same"
    DIFFERS = "differs"
    ANSWERED = "answered"
    NOT_ASKED = "not asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One row of the report; `is_failed` marks a question that an error left open."""

    id: str
    question: str
    observed: str
    expected: str
    verdict: CheckVerdict
    is_failed: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """One question about the gateway; `expected` is what the simulator does, `text` names the section of venue.md."""

    id: str
    text: str
    expected: str

    def assess(self, observed: str, *, is_same: bool) -> CheckResult:
        """Return the result of a question whose answer is `observed`."""
        return self._result(observed, CheckVerdict.SAME if is_same else CheckVerdict.DIFFERS)

    def compare(self, observed: str) -> CheckResult:
        """Return the result of a question whose answer must be the expected text."""
        return self.assess(observed, is_same=observed == self.expected)

    def ask(self, fetch: Callable[[], str]) -> CheckResult:
        """Return the result of a question whose answer `fetch` returns; an outage leaves only this question open.

        For odd requests: a gateway may answer each of them with a 5xx, whatever the others get.
        """
        try:
            return self.compare(fetch())
        except CannotAskError as error:
            return self.skip(str(error))
        except VenueDownError as error:
            return self.fail(mask_secrets(str(error)))

    def answer(self, observed: str) -> CheckResult:
        """Return the result of a question that has no expected answer."""
        return self._result(observed, CheckVerdict.ANSWERED)

    def skip(self, reason: str) -> CheckResult:
        """Return the result of a question that was not asked, with the reason and what a person can do."""
        return self._result(reason, CheckVerdict.NOT_ASKED)

    def fail(self, reason: str) -> CheckResult:
        """Return the result of a question that an error left open."""
        return CheckResult(
            id=self.id,
            question=self.text,
            observed=f"error: {reason}",
            expected=self.expected,
            verdict=CheckVerdict.NOT_ASKED,
            is_failed=True,
        )

    def _result(self, observed: str, verdict: CheckVerdict) -> CheckResult:
        return CheckResult(id=self.id, question=self.text, observed=observed, expected=self.expected, verdict=verdict)


# What it asks with is a CheckContext, or an OrderSession for a question that needs orders.
Ask = Callable[[Any], Iterator[CheckResult]]


@dataclass(frozen=True, slots=True)
class Check:
    """A function that asks some questions; it yields one result for each."""

    questions: tuple[Question, ...]
    ask: Ask

    @property
    def name(self) -> str:
        """What it asks about, for progress lines."""
        return self.ask.__name__.removeprefix("ask_").replace("_", " ")


def asks(*questions: Question) -> Callable[[Ask], Check]:
    """Return a decorator that makes a check of a function; an error marks the questions it did not reach."""
    return lambda ask: Check(questions, ask)


def ask_safely(check: Check, given: object) -> Iterator[CheckResult]:
    """Yield the results of a check; an error gives the questions that it left open a result of their own."""
    left = {question.id: question for question in check.questions}
    try:
        for result in check.ask(given):
            left.pop(result.id, None)
            yield result
    except CannotAskError as error:
        yield from (question.skip(str(error)) for question in left.values())
    except RefusedError as error:  # the gateway answered, but not as the simulator does
        for question in left.values():
            yield question.assess(mask_secrets(str(error)), is_same=False)
    except TickworkError as error:
        for question in left.values():
            yield question.fail(mask_secrets(str(error)))
    except Exception as error:  # noqa: BLE001 - an answer of an unknown form must not stop the other checks
        for question in left.values():
            yield question.fail(mask_secrets(f"{type(error).__name__} {error}"))
