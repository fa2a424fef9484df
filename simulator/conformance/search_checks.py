"""Checks of the searches of orders, positions and trades (venue.md sections 5.9 to 5.16)."""

import contextlib
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from shared.domain.market_data.contract import ROOTS, root_of_contract
from shared.domain.trades.fees import fees_of
from simulator.conformance.context import CheckContext, Row, format_instant, parse_instant
from simulator.conformance.results import CheckResult, Question, asks
from simulator.conformance.schema_check import assess_rows, find_answer_differences

_ORDERS, _OPEN, _QUERY = "/api/Order/search", "/api/Order/searchOpen", "/api/Order/v2/query"
_POSITIONS, _TRADES, _BY_ID = "/api/Position/searchOpen", "/api/Trade/search", "/api/Order/searchById"
_BACK = timedelta(days=30)
_UNKNOWN_ACCOUNT = 2**31 - 1
_FEW = "fewer than two orders in 30 days: run again after some, or with --orders"
_NO_ORDER = "no order in 30 days: run again after some, or with --orders"
_NO_TRADE = "no trade in 30 days: run again after some, or with --orders"

ORDER_FIELDS = Question("s5.order_fields", "Have order rows the documented fields? (5.12)", "as documented")
ORDER_SORT = Question(
    "s5.order_search_order", "In which order does Order/search return rows? (5.9, 7.6)", "oldest first"
)
OPEN_STATUS = Question("s5.search_open_statuses", "Does searchOpen return other statuses than 1? (5.10)", "no")
QUERY_SORT = Question("q11.query_order", "In which order does v2/query return rows by default? (13.11)", "newest first")
QUERY_SIZE = Question("q11.query_page_size", "How many rows has a page of v2/query by default? (13.11)", "50")
QUERY_MOST = Question(
    "q11.query_page_size_range", "What do the page sizes 1,000, 1,001 and 0 get? (13.11)",
    "200 success, 400 problem details, 400 problem details",
)  # fmt: skip
QUERY_OFFSET = Question("q11.query_offset", "Does pageOffset count rows or pages? (13.11)", "rows")
QUERY_TOTAL = Question("q11.query_total", "Is totalCount null unless it is asked for? (13.11)", "yes")
POSITION_FIELDS = Question("s5.position_fields", "Have position rows the documented fields? (5.13)", "as documented")
TRADE_FIELDS = Question("s5.trade_fields", "Have trade rows the documented fields? (5.16)", "as documented")
TRADE_SORT = Question("s5.trade_search_order", "In which order does Trade/search return rows? (5.16)", "newest first")
FEES = Question("q12.fees", "What are fees and commissions per contract and side? (13.12)", "the known fees")
NO_ACCOUNT = Question(
    "s5.unknown_account", "What do searches of another account get? (5.9 to 5.16)", "200 code 1 everywhere"
)
NO_ORDER = Question("s5.unknown_order", "What does searchById of an unknown order get? (5.11)", "200 code 1")


@asks(ORDER_FIELDS, ORDER_SORT, OPEN_STATUS)
def ask_orders(context: CheckContext) -> Iterator[CheckResult]:
    """Ask for the orders of 30 days."""
    start = format_instant(context.market_now - _BACK)
    document = context.rest.post(_ORDERS, accountId=context.account_id, startTimestamp=start)
    rows = document.get("orders") or []
    differences = find_answer_differences(_ORDERS, document)
    yield assess_rows(ORDER_FIELDS, differences, len(rows), "rows", if_none=_NO_ORDER)
    yield ORDER_SORT.compare(_sort_of(rows)) if len(rows) > 1 else ORDER_SORT.skip(_FEW)
    document = context.rest.post(_OPEN, accountId=context.account_id)
    differences = find_answer_differences(_OPEN, document)
    statuses = sorted({row["status"] for row in document.get("orders") or []} - {1})
    differences += [f"status {status}" for status in statuses]
    has_others = any(row["status"] != 1 for row in rows)
    if not differences and not has_others:
        yield OPEN_STATUS.skip("no order of 30 days has another status: run again after one, or with --orders")
    else:
        yield OPEN_STATUS.assess("; ".join(differences) or "no", is_same=not differences)


@asks(QUERY_SORT, QUERY_SIZE, QUERY_MOST, QUERY_OFFSET, QUERY_TOTAL)
def ask_query(context: CheckContext) -> Iterator[CheckResult]:
    """Ask how v2/query pages."""
    by = {"accountId": context.account_id}
    whole = context.rest.post(_QUERY, filter=by, includeTotalCount=True)
    differences = find_answer_differences(_QUERY, whole)
    rows, total = whole.get("orders") or [], whole.get("totalCount")
    sort = [_sort_of(rows)] if len(rows) > 1 else []
    observed = "; ".join([*sort, *differences])
    yield QUERY_SORT.compare(observed) if observed else QUERY_SORT.skip(_FEW)
    if type(total) is int and total > len(rows):
        yield QUERY_SIZE.compare(str(len(rows)))
    else:
        yield QUERY_SIZE.skip(f"only {len(rows)} orders, all on the first page: run again after more orders")
    pages = ({"filter": by, "pageSize": size} for size in (1000, 1001, 0))
    yield QUERY_MOST.ask(lambda: ", ".join(context.rest.send(_QUERY, page).describe() for page in pages))
    if len(rows) < 3:  # noqa: PLR2004 - an offset of one page of two rows needs a third
        yield QUERY_OFFSET.skip("fewer than three orders: run again after some, or with --orders")
    else:
        page = context.rest.rows(_QUERY, "orders", filter=by, pageSize=2, pageOffset=1)
        ids = [row["id"] for row in page]
        is_rows = ids == [row["id"] for row in rows[1:3]]
        yield QUERY_OFFSET.compare(
            "rows" if is_rows else "pages" if ids == [row["id"] for row in rows[2:4]] else "neither"
        )
    without = context.rest.post(_QUERY, filter=by, pageSize=1)
    yield QUERY_TOTAL.compare("yes" if without.get("totalCount", "absent") is None else "no")


@asks(POSITION_FIELDS)
def ask_positions(context: CheckContext) -> Iterator[CheckResult]:
    """Ask for the open positions."""
    document = context.rest.post(_POSITIONS, accountId=context.account_id)
    differences = find_answer_differences(_POSITIONS, document)
    count = len(document.get("positions") or [])
    reason = "no position is open: run again while one is"
    yield assess_rows(POSITION_FIELDS, differences, count, "rows", if_none=reason)


@asks(TRADE_FIELDS, TRADE_SORT, FEES)
def ask_trades(context: CheckContext) -> Iterator[CheckResult]:
    """Ask for the trades of 30 days."""
    start = format_instant(context.market_now - _BACK)
    document = context.rest.post(_TRADES, accountId=context.account_id, startTimestamp=start)
    rows = document.get("trades") or []
    differences = find_answer_differences(_TRADES, document)
    yield assess_rows(TRADE_FIELDS, differences, len(rows), "rows", if_none=_NO_TRADE)
    if not rows:
        yield from (TRADE_SORT.skip(_NO_TRADE), FEES.skip(_NO_TRADE))
        return
    yield TRADE_SORT.compare(_sort_of(rows)) if len(rows) > 1 else TRADE_SORT.skip("only one trade in 30 days")
    yield describe_fees(rows)


@asks(NO_ACCOUNT, NO_ORDER)
def ask_unknown(context: CheckContext) -> Iterator[CheckResult]:
    """Ask for what does not exist."""
    yield NO_ACCOUNT.ask(lambda: _describe_unknown_account(context))
    body = {"accountId": context.account_id, "orderId": 2**62}
    yield NO_ORDER.ask(lambda: context.rest.send(_BY_ID, body).describe())


def describe_fees(rows: list[Row]) -> CheckResult:
    """Return the fees and commissions per contract of each product, compared with the simulator's."""
    pairs_by_product: defaultdict[str, set[tuple[Decimal, Decimal]]] = defaultdict(set)
    for row in rows:
        size = Decimal(row["size"])
        pairs_by_product[_find_product(row["contractId"])].add(
            (Decimal(row["fees"]) / size, Decimal(row.get("commissions") or 0) / size)
        )
    texts, is_same = [], True
    for name, pairs in sorted(pairs_by_product.items()):
        is_same = is_same and name in ROOTS and pairs == {fees_of(name, 1)}
        texts.append(f"{name} " + " or ".join(f"{fees:f} + {commission:f}" for fees, commission in sorted(pairs)))
    return FEES.assess("; ".join(texts), is_same=is_same)


def _describe_unknown_account(context: CheckContext) -> str:
    """Return what the searches get that do not get what is expected, or the expected text."""
    body = {"accountId": _UNKNOWN_ACCOUNT, "startTimestamp": format_instant(context.market_now)}
    answers = {path: context.rest.send(path, body).describe() for path in (_ORDERS, _OPEN, _POSITIONS, _TRADES)}
    answers[_QUERY] = context.rest.send(_QUERY, {"filter": {"accountId": _UNKNOWN_ACCOUNT}}).describe()
    others = [f"{path} {text}" for path, text in answers.items() if text != "200 code 1"]
    return "; ".join(others) or NO_ACCOUNT.expected


def _find_product(contract_id: str) -> str:
    """Return the product of a contract id, which may also be a symbol (F.US.MNQ); the id itself if it is unknown."""
    by_symbol = {f"F.US.{root.product}": root.name for root in ROOTS.values()}
    with contextlib.suppress(ValueError):
        return by_symbol.get(contract_id) or root_of_contract(contract_id).name
    return contract_id


def _sort_of(rows: list[Row]) -> str:
    """Return the sort of rows by their instants; equal instants fit every sort."""
    times = [parse_instant(row["creationTimestamp"]) for row in rows]
    ids = [row["id"] for row in rows]
    is_ascending, is_descending = times == sorted(times), times == sorted(times, reverse=True)
    if is_ascending and is_descending:
        is_ascending, is_descending = ids == sorted(ids), ids == sorted(ids, reverse=True)
    return "oldest first" if is_ascending else "newest first" if is_descending else "in no order"


CHECKS = (ask_orders, ask_query, ask_positions, ask_trades, ask_unknown)
