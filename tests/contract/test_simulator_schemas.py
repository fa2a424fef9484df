"""Every answer and event of the simulator matches the venue's documents and its own OpenAPI document."""

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator
from openapi_spec_validator import validate
from requests import get

from simulator.app import ENDPOINTS, LOGINS
from tests.fixtures.hubs import ConnectHub
from tests.fixtures.schemas import ANSWERS, EVENTS
from tests.fixtures.venue import KEY, MNQ, USER, RunningVenue, starting_venues

ACCOUNT = {"accountId": 20001}
NOWHERE = {"accountId": 7}
CONTRACT = {"contractId": MNQ}
EXPIRED, UNKNOWN = {"contractId": "CON.F.US.MNQ.H25"}, {"contractId": "CON.F.US.NOPE.Z26"}
MARKET_BUY = ACCOUNT | CONTRACT | {"type": 2, "side": 0, "size": 2}
BARS = CONTRACT | {
    "live": False, "startTime": "2026-03-10T14:00:00Z", "endTime": "2026-03-10T15:00:00Z", "unit": 2, "unitNumber": 1,
    "limit": 10, "includePartialBar": True,
}  # fmt: skip
SINCE = {"startTimestamp": "2026-03-10T00:00:00Z"}
# By path: request bodies with the expected error code; None: the body does not bind.
REQUESTS: dict[str, list[tuple[dict[str, Any], int | None]]] = {
    "/api/Auth/loginKey": [
        ({"userName": USER, "apiKey": KEY}, 0), ({"userName": USER, "apiKey": "no"}, 3), ({"userName": USER}, None)
    ],
    "/api/Auth/loginApp": [
        ({"userName": "u", "password": "p", "deviceId": "d", "appId": "a", "verifyKey": "v"}, 4), ({}, None)
    ],
    "/api/Auth/validate": [({}, 0)],
    "/api/Account/search": [({"onlyActiveAccounts": True}, 0), ({"onlyActiveAccounts": False}, 0), ({}, 0),
                            ({"onlyActiveAccounts": "yes"}, None)],
    "/api/Contract/search": [
        ({"searchText": "ES", "live": False}, 0), ({"live": True}, 0), ({"searchText": "no such"}, 0),
        ({"live": 1}, None),
    ],
    "/api/Contract/searchById": [(CONTRACT, 0), (EXPIRED, 0), (UNKNOWN, 1), ({}, None)],
    "/api/Contract/available": [({"live": False}, 0), ({"live": True}, 0), ({"live": "yes"}, None)],
    "/api/History/retrieveBars": [
        (BARS, 0), (BARS | {"unit": 4, "startTime": "2026-03-01T00:00:00"}, 0), (BARS | {"unit": 1}, 0),
        (BARS | UNKNOWN, 1), (BARS | {"unit": 0}, 2), (BARS | {"unitNumber": 0}, 3), (BARS | {"limit": 20_001}, 4),
        (BARS | {"live": True}, 0), (BARS | {"unit": "Minute"}, None),
    ],
    "/api/Order/place": [
        (MARKET_BUY | {"customTag": "a"}, 0), (MARKET_BUY | {"customTag": "a"}, 2), (MARKET_BUY | {"size": 0}, 2),
        (MARKET_BUY | {"type": 3}, 2), (MARKET_BUY | NOWHERE, 1), (MARKET_BUY | UNKNOWN, 8), (MARKET_BUY | EXPIRED, 9),
        (MARKET_BUY | {"type": 6}, 0), (MARKET_BUY | {"side": "Bid"}, None),
        (MARKET_BUY | {"stopLossBracket": {"ticks": -4000, "type": 4},
                       "takeProfitBracket": {"ticks": 4000, "type": 1}, "customTag": "with legs"}, 0),
        (MARKET_BUY | {"stopLossBracket": {"ticks": 40, "type": 4}}, 2),
    ],
    "/api/Order/searchOpen": [(ACCOUNT, 0), (NOWHERE, 1), ({}, None)],
    "/api/Order/search": [(ACCOUNT | SINCE, 0), (NOWHERE | SINCE, 1), (ACCOUNT, None)],
    "/api/Order/v2/query": [
        ({"filter": ACCOUNT, "includeTotalCount": True}, 0), ({"filter": ACCOUNT | {"statuses": [1, 6, 7, 8]}}, 0),
        ({"filter": NOWHERE}, 1), ({"filter": ACCOUNT, "pageSize": 0}, None), ({}, None),
    ],
    "/api/Order/searchById": [(ACCOUNT | {"orderId": 1}, 1), (ACCOUNT, None)],
    "/api/Order/modify": [(ACCOUNT | {"orderId": 1, "size": 1}, 2), (NOWHERE | {"orderId": 1}, 1), ({}, None)],
    "/api/Order/cancel": [(ACCOUNT | {"orderId": 1}, 2), (NOWHERE | {"orderId": 1}, 1), ({}, None)],
    "/api/Position/searchOpen": [(ACCOUNT, 0), (NOWHERE, 1), ({}, None)],
    "/api/Position/partialCloseContract": [
        (ACCOUNT | CONTRACT | {"size": 99}, 5), (ACCOUNT | CONTRACT | {"size": 1}, 0),
        (NOWHERE | CONTRACT | {"size": 1}, 1),
        (ACCOUNT | UNKNOWN | {"size": 1}, 3), (ACCOUNT | CONTRACT, None),
    ],
    "/api/Position/closeContract": [
        (ACCOUNT | CONTRACT, 0), (NOWHERE | CONTRACT, 1), (ACCOUNT | UNKNOWN, 3), (ACCOUNT, None)
    ],
    "/api/Trade/search": [(ACCOUNT | SINCE, 0), (NOWHERE | SINCE, 1), ({}, None)],
    "/api/Auth/logout": [({}, 0)],
}  # fmt: skip


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVenue]:
    with starting_venues(tmp_path_factory.mktemp("schemas")) as start:
        yield start(options=["--stepped"])


@pytest.fixture(scope="module")
def document(venue: RunningVenue) -> dict[str, Any]:
    found: dict[str, Any] = get(f"{venue.url}/swagger/v1/swagger.json", timeout=30).json()
    return found


def test_every_answer_matches_the_documented_schemas(venue: RunningVenue, document: dict[str, Any]) -> None:
    """`send` checks each answer against the schemas from the venue's documents."""
    assert set(REQUESTS) == set(ANSWERS) == {*LOGINS, *(endpoint.path for endpoint in ENDPOINTS)}
    for path, requests in REQUESTS.items():
        for body, code in requests:
            answer = venue.send(path, body)
            venue.control("PUT", "clock", {"step": 1})
            content = answer.json()
            assert (code is None, code) == (answer.status_code == 400, content.get("errorCode")), (path, body, content)
            _check_answer(document, path, answer.status_code, content)
    venue.log_in()


def test_a_request_without_a_valid_token_is_a_401(venue: RunningVenue) -> None:
    venue.http.headers["Authorization"] = "Bearer no.such.token"
    try:
        statuses = {path: venue.send(path, {}).status_code for path in REQUESTS if "login" not in path}
    finally:
        venue.log_in()

    assert {401} == set(statuses.values()), statuses


def test_every_event_matches_the_documented_schemas(venue: RunningVenue, connect_hub: ConnectHub) -> None:
    """The hub client checks each record against the schemas."""
    user, market = connect_hub(venue, "user"), connect_hub(venue, "market")
    user.subscribe_user(venue.account_id)
    for what in ("Quotes", "Trades", "MarketDepth"):
        assert "error" not in market.invoke(f"SubscribeContract{what}", MNQ)
    for tag, more in (("hub", {"stopLossBracket": {"ticks": -4000, "type": 4}}), ("hub 2", {"type": 5}), ("hub 3", {})):
        venue.send("/api/Order/place", MARKET_BUY | more | {"customTag": tag})
        venue.control("PUT", "clock", {"step": 2})
    venue.post("/api/Position/closeContract", accountId=venue.account_id, contractId=MNQ)
    venue.control("PUT", "clock", {"step": 60})
    venue.control("PUT", "faults", [{"kind": "logout", "count": 2}])
    for client in (user, market):
        client.read_until_closed()

    assert set(EVENTS) == {target for client in (user, market) for target, _ in client.events()}


def test_the_openapi_document_is_valid_and_has_every_route(document: dict[str, Any]) -> None:
    validate(document)

    assert {"/api/Status/ping", *ANSWERS} == set(document["paths"])
    assert {"200", "400", "401", "429"} == set(document["paths"]["/api/Order/place"]["post"]["responses"])


def test_the_openapi_document_accepts_the_same_bodies_as_the_simulator(document: dict[str, Any]) -> None:
    for path, requests in REQUESTS.items():
        body = document["paths"][path]["post"].get("requestBody")
        for sent, code in requests if body else []:
            schema = body["content"]["application/json"]["schema"]
            assert (code is not None) == _validator(document, schema).is_valid(sent), (path, sent)


def _check_answer(document: dict[str, Any], path: str, status: int, content: object) -> None:
    media_types = document["paths"][path]["post"]["responses"][str(status)]["content"]
    (schema,) = (media["schema"] for media in media_types.values())
    _validator(document, schema).validate(content)


def _validator(document: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator(schema | {"components": document["components"]})
