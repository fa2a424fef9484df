"""Sends a created order to the venue: claimed in Postgres before the call, its outcome recorded after it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.clock import machine_now, monotonic
from shared.db.orders import orders, submission
from shared.db.orders.orders import OrderRow
from shared.domain.market_data.contract import Contract
from shared.domain.orders.order import OrderState, Role
from shared.errors import AmbiguousOutcomeError, HaltError, RefusedError, RetryableError, SettingsError
from shared.fleets import LEASE
from shared.gateway.errors import NotSentError
from shared.gateway.orders.order_request import OrderRequest
from shared.gateway.rest.requester import TIMEOUT
from workers.context import Context

_MARGIN = timedelta(seconds=0.5)


@dataclass(frozen=True, slots=True)
class PreparedOrder:
    """An order that this process made SUBMITTING and has not sent yet; when it did, by both clocks of the machine."""

    order: OrderRow
    contract: Contract
    submitting_at: datetime
    submitting_monotonic_s: float

    @property
    def lease_left(self) -> timedelta:
        """The time for which this process certainly holds the lease of the job; a computer that slept has lost it."""
        return LEASE - max(
            timedelta(seconds=monotonic() - self.submitting_monotonic_s), machine_now() - self.submitting_at
        )


@dataclass(frozen=True, slots=True)
class SubmitResult:
    """The outcome of the call: WORKING with the venue's id, IN_DOUBT, or a final state with its reason.

    A final state is recorded already; the caller records WORKING and IN_DOUBT, in one commit with the next steps.
    `refusal` is the error to end a job with.
    """

    state: OrderState
    venue_order_id: int | None = None
    reason: str | None = None
    refusal: RefusedError | None = None


def submit_order(ctx: Context, order: OrderRow) -> SubmitResult:
    """Send an order that is CREATED; raise RetryableError, and leave it CREATED, when it was certainly not sent.

    An entry of an account that is halted or being flattened is denied, or expires if it was in doubt before and may be
    at the venue; the transaction that makes it SUBMITTING reads that. An exit is cancelled while its contract is
    flattened, which closes all.
    """
    if _has_expired(order):
        return _finish_expired(ctx, order)
    ctx.gateway.ensure_token()  # a login may take long or fail, and must do so before anything is SUBMITTING
    with ctx.autocommit() as connection:
        found = submission.mark_submitting(
            connection, order, ctx.job.id, ctx.job.claim_id, machine_now=machine_now(), market_now=ctx.market_now
        )
    if found.obstacle == "moved":
        return SubmitResult(order.state, reason="another process moved it")
    if found.obstacle is not None and order.role is Role.EXIT:
        return SubmitResult(OrderState.CANCELLED, reason=found.obstacle)
    if found.obstacle is not None:
        state = OrderState.DENIED if order.in_doubt_at is None else OrderState.EXPIRED
        return SubmitResult(state, reason=found.obstacle, refusal=RefusedError(found.obstacle))
    return send_order(ctx, order, found.contract, found.lease_left)


def send_order(ctx: Context, order: OrderRow, contract: Contract, lease_left: timedelta) -> SubmitResult:
    """Send an order that this run of the job made SUBMITTING; its lease lasts for `lease_left`. As `submit_order`."""
    if _has_expired(order):
        return _finish_expired(ctx, order)
    try:
        require_lease_left(lease_left)
        venue_order_id = ctx.gateway.place(_order_request(order, contract))
    except (RetryableError, HaltError, SettingsError):  # certainly not sent, as without a login
        with ctx.ledger.engine.begin() as connection:
            orders.change_state(connection, order.id, [OrderState.SUBMITTING], OrderState.CREATED)
        raise
    except RefusedError as error:
        return _finish(ctx, order, OrderState.REJECTED, str(error), error)
    except AmbiguousOutcomeError as error:
        return SubmitResult(OrderState.IN_DOUBT, reason=str(error))
    return SubmitResult(OrderState.WORKING, venue_order_id)


def _has_expired(order: OrderRow) -> bool:
    """Whether its expiry has passed; an order without one never expires."""
    return order.expires_at is not None and order.expires_at <= machine_now()


def _finish_expired(ctx: Context, order: OrderRow) -> SubmitResult:
    return _finish(ctx, order, OrderState.EXPIRED, f"not sent before {order.expires_at:%H:%M:%S} UTC")


def require_lease(ctx: Context) -> None:
    """Raise NotSentError if the lease may end before a call does: another worker could then repeat the call."""
    require_lease_left(ctx.lease_left())


def require_lease_left(lease_left: timedelta) -> None:
    """As `require_lease`, for a lease whose remaining time is known."""
    if lease_left <= TIMEOUT + _MARGIN:
        raise NotSentError("the lease would not outlast the call")


def _order_request(order: OrderRow, contract: Contract) -> OrderRequest:
    return OrderRequest(
        account_id=order.account_id,
        contract=contract,
        side=order.side,
        quantity=order.quantity,
        tag=order.client_order_id or "",
        type=order.type,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        trail_price=order.trail_price,
        stop_loss_ticks=order.stop_loss_ticks,
        take_profit_ticks=order.take_profit_ticks,
        is_entry=order.role is Role.ENTRY,
    )


def _finish(
    ctx: Context, order: OrderRow, state: OrderState, reason: str, refusal: RefusedError | None = None
) -> SubmitResult:
    # The hub may have reported a rejection, without a reason, before the answer came.
    sources = [OrderState.CREATED, OrderState.SUBMITTING, *({OrderState.REJECTED} & {state})]
    with ctx.ledger.engine.begin() as connection:
        orders.change_state(connection, order.id, sources, state, reason=reason)
    return SubmitResult(state, reason=reason, refusal=refusal)
