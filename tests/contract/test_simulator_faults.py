"""The misfortunes a test can arm do what they say, once for each time they are armed."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from requests import ConnectionError as ConnectionFailedError
from requests import ReadTimeout

from tests.fixtures.processes import until
from tests.fixtures.venue import RunningVenue, starting_venues

PLACE = "/api/Order/place"


@pytest.fixture(scope="module")
def shared_venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVenue]:
    with starting_venues(tmp_path_factory.mktemp("faults")) as start:
        yield start()


@pytest.fixture
def venue(shared_venue: RunningVenue) -> Iterator[RunningVenue]:
    yield shared_venue
    shared_venue.forget_faults()


@pytest.fixture
def tag() -> str:
    return str(uuid4())


def test_an_answer_is_lost_after_the_order_was_taken(venue: RunningVenue, tag: str) -> None:
    venue.faults(path=PLACE, kind="lose_answer_after")
    with pytest.raises(ConnectionFailedError):
        venue.place(customTag=tag)

    assert 1 == venue.accepted_tags().count(tag)
    assert 2 == venue.place(customTag=tag)["errorCode"]


def test_a_request_is_lost_before_anything_happened(venue: RunningVenue, tag: str) -> None:
    venue.faults(path=PLACE, kind="lose_before", count=2)
    for _ in range(2):
        with pytest.raises(ConnectionFailedError):
            venue.place(customTag=tag)

    assert 0 == venue.accepted_tags().count(tag)
    assert venue.place(customTag=tag)["success"]


def test_a_delayed_answer_comes_after_the_client_has_gone_and_the_order_is_there(venue: RunningVenue, tag: str) -> None:
    venue.faults(path=PLACE, kind="delay", seconds=600)
    body = {"accountId": venue.account_id, "contractId": "CON.F.US.MNQ.H26", "type": 2, "side": 0, "size": 1}
    with pytest.raises(ReadTimeout):
        venue.send(PLACE, body | {"customTag": tag}, timeout=0.3)

    assert 1 == venue.accepted_tags().count(tag)


def test_a_delayed_request_takes_effect_after_the_client_has_gone(venue: RunningVenue, tag: str) -> None:
    venue.faults(path=PLACE, kind="delay_before", seconds=1.5)
    body = {"accountId": venue.account_id, "contractId": "CON.F.US.MNQ.H26", "type": 2, "side": 0, "size": 1}
    with pytest.raises(ReadTimeout):
        venue.send(PLACE, body | {"customTag": tag}, timeout=0.2)

    assert 0 == venue.accepted_tags().count(tag)
    until(lambda: venue.accepted_tags().count(tag) == 1)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_status_is_answered_and_nothing_done(venue: RunningVenue, tag: str, status: int) -> None:
    venue.faults(path=PLACE, kind="status", status=status)
    body = {"accountId": venue.account_id, "contractId": "CON.F.US.MNQ.H26", "type": 2, "side": 0, "size": 1}

    assert status == venue.send(PLACE, body | {"customTag": tag}).status_code
    assert 0 == venue.accepted_tags().count(tag)


def test_a_rejection_is_answered_with_its_code_and_nothing_done(venue: RunningVenue, tag: str) -> None:
    venue.faults(path=PLACE, kind="reject", error_code=6, message="Order is pending.")
    answer = venue.place(customTag=tag)

    assert (False, 6, "Order is pending.") == (answer["success"], answer["errorCode"], answer["errorMessage"])
    assert 0 == venue.accepted_tags().count(tag)


def test_a_fault_meets_its_own_path_only_and_others_wait_for_nobody(venue: RunningVenue, tag: str) -> None:
    venue.faults(path="/api/Account/search", kind="delay", seconds=600)

    assert venue.place(customTag=tag)["success"]


def test_faults_are_forgotten(venue: RunningVenue, tag: str) -> None:
    venue.faults(path=PLACE, kind="status", count=50)
    venue.forget_faults()

    assert venue.place(customTag=tag)["success"]


def test_what_was_asked_can_be_looked_at(venue: RunningVenue, tag: str) -> None:
    venue.place(customTag=tag)

    assert tag == venue.requests(PLACE)[-1]["customTag"]
    assert all("apiKey" not in body for body in venue.requests("/api/Auth/loginKey"))
