"""The body of a job request: a job of its type, or a refusal that names the wrong argument."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.ledger.job import Job
from shared.ledger.jobs.accounts import SnapshotAccounts
from shared.ledger.jobs.market_data import FetchBars
from shared.ledger.jobs.orders import ApplyExecutionReports, EnterManually, GuardPosition
from shared.ledger.jobs.upkeep import DoNothing
from web.receiver.job_arguments import read_arguments, read_idempotency_key
from web.receiver.problem import RefusedRequestError

ENTRY = {"account_id": 1, "symbol": "MNQ", "side": "BUY", "quantity": 1}


def refusal(body: dict[str, Any] | bytes, type_: type[Job]) -> RefusedRequestError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(RefusedRequestError) as refused:
        read_arguments(raw, type_)
    return refused.value


def test_a_body_becomes_the_job_that_it_requests() -> None:
    assert DoNothing(note="a", seconds=3) == read_arguments(b'{"seconds": 3, "note": "a"}', DoNothing)
    assert SnapshotAccounts() == read_arguments(b" {} ", SnapshotAccounts)
    slot = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
    assert FetchBars(slot=slot) == read_arguments(b'{"slot": "2026-11-23T14:30:00Z"}', FetchBars)


def test_numbers_of_a_free_document_stay_numbers() -> None:
    raw = b'{"account_id": 1, "reported_at": "2026-11-23T14:30:00Z", "orders": [{"limitPrice": 21000.25}]}'

    job = read_arguments(raw, ApplyExecutionReports)

    assert isinstance(job, ApplyExecutionReports)
    assert [{"limitPrice": 21000.25}] == job.orders


@pytest.mark.parametrize(
    ("body", "type_", "field"),
    [
        (ENTRY | {"account_id": "1"}, EnterManually, "account_id"),
        (ENTRY | {"quantity": 1.5}, EnterManually, "quantity"),
        (ENTRY | {"side": "up"}, EnterManually, "side"),
        (ENTRY | {"quantty": 2}, EnterManually, "quantty"),
        (ENTRY | {"is_dry_run": 1}, EnterManually, "is_dry_run"),
        ({"account_id": 1, "symbol": "MNQ"}, EnterManually, "side"),
        ({"slot": "2026-11-23T14:30:00"}, FetchBars, "slot"),
        ({"slot": 0}, FetchBars, "slot"),
        ({"slot": None}, FetchBars, "slot"),
        ({"note": "a\x00"}, DoNothing, "note"),
        ({"note": "a" * 501}, DoNothing, "note"),
        ({"account_id": 1, "contract_id": "x" * 8_000}, GuardPosition, "contract_id"),
        ({"account_id": 10**30, "contract_id": "CON.F.US.MNQ.H26"}, GuardPosition, "account_id"),
        ({"account_id": -(2**63), "contract_id": "CON.F.US.MNQ.H26"}, GuardPosition, "account_id"),
        (b'{"note": "\\ud800"}', DoNothing, "note"),
        (b'{"seconds": 1, "seconds": 2}', DoNothing, "seconds"),
        ({"seconds": 1}, SnapshotAccounts, "seconds"),
        ({"account_id": 1, "reported_at": "2026-01-01T00:00:00Z", "orders": [3]}, ApplyExecutionReports, "orders[0]"),
    ],
)
def test_a_wrong_argument_is_named(body: dict[str, Any] | bytes, type_: type[Job], field: str) -> None:
    refused = refusal(body, type_)

    assert (422, field) == (refused.status, refused.field)
    assert refused.wrong
    assert refused.hint


def test_a_wrong_value_is_quoted_with_what_was_expected() -> None:
    assert (
        "invalid account_id 'x': expected `int`, got `str`" == refusal(ENTRY | {"account_id": "x"}, EnterManually).wrong
    )
    assert "argument slot is missing" == refusal({}, FetchBars).wrong
    assert "send seconds" == refusal({"secnds": 3}, DoNothing).hint
    assert "it has note, seconds" == refusal({"count": 3}, DoNothing).hint


@pytest.mark.parametrize(
    "raw", [b"", b"[1]", b"null", b"{", b"\xff", b"\xef\xbb\xbf{}", b"[" * 9_000, b'{"seconds": NaN}', b"{} {}"]
)
def test_what_is_no_json_object_is_a_400(raw: bytes) -> None:
    refused = refusal(raw, DoNothing)

    assert (400, "body") == (refused.status, refused.field)
    assert "JSON object" in refused.hint


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ([], None),
        (['"8e03978e-40d5-43dd-bc93-6894a57f9324"'], "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        (["nightly 2026-11-23"], "nightly 2026-11-23"),
        ([r'"a \"quoted\" \\ key"'], r'a "quoted" \ key'),
        (["x" * 255], "x" * 255),
    ],
)
def test_an_idempotency_key_is_taken_quoted_or_bare(headers: list[str], key: str | None) -> None:
    assert key == read_idempotency_key(headers)


@pytest.mark.parametrize(
    "headers", [[""], ['""'], ["x" * 256], ["é"], ["a\tb"], ["a", "a"], ['"a'], ['a"b"'], ['"a"b"']]
)
def test_an_invalid_idempotency_key_is_a_400(headers: list[str]) -> None:
    with pytest.raises(RefusedRequestError) as refused:
        read_idempotency_key(headers)

    assert (400, "Idempotency-Key") == (refused.value.status, refused.value.field)
