"""The simulator lists contracts as the venue does."""

from collections.abc import Iterator

import pytest

from tests.fixtures.venue import MNQ, RunningVenue, starting_venues


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVenue]:
    with starting_venues(tmp_path_factory.mktemp("contracts")) as start:
        yield start()


def test_the_front_contract_of_every_root_is_available(venue: RunningVenue) -> None:
    contracts = {row["id"]: row for row in venue.post("/api/Contract/available", live=False)["contracts"]}

    assert {
        "id": MNQ, "name": "MNQH6", "description": "Micro E-mini Nasdaq-100: March 2026", "tickSize": 0.25,
        "tickValue": 0.5, "activeContract": True, "symbolId": "F.US.MNQ",
    } == contracts[MNQ]  # fmt: skip
    assert len(contracts) == len({row["symbolId"] for row in contracts.values()})


def test_the_live_tier_is_empty_without_an_error(venue: RunningVenue) -> None:
    answer = venue.post("/api/Contract/available", live=True)

    assert (True, []) == (answer["success"], answer["contracts"])


def test_search_is_fuzzy_and_returns_at_most_20_contracts(venue: RunningVenue) -> None:
    def search(text: str) -> list[str]:
        rows = venue.post("/api/Contract/search", searchText=text, live=False)["contracts"]
        return [row["symbolId"].removeprefix("F.US.") for row in rows]

    assert ["EP", "FVA", "JY6", "MES", "MX6", "TYA"] == search("ES")  # what the live venue found, venue.md section 5.2
    assert 20 == len(search("e"))


@pytest.mark.parametrize(("contract_id", "is_active"), [(MNQ, True), ("CON.F.US.MNQ.Z25", False)])
def test_a_contract_of_any_month_is_found_by_its_id(venue: RunningVenue, contract_id: str, is_active: bool) -> None:  # noqa: FBT001
    contract = venue.post("/api/Contract/searchById", contractId=contract_id)["contract"]

    assert (contract_id, is_active) == (contract["id"], contract["activeContract"])


@pytest.mark.parametrize("contract_id", ["", "MNQ", "CON.F.US.NONE.H26", "CON.F.US.MNQ.F26"])
def test_an_unknown_contract_is_code_1(venue: RunningVenue, contract_id: str) -> None:
    answer = venue.post("/api/Contract/searchById", contractId=contract_id)

    assert (False, 1, None) == (answer["success"], answer["errorCode"], answer["contract"])
