"""A collector of OpenTelemetry: takes spans by OTLP, the protocol, as protobuf over HTTP."""

import logging
import platform
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from importlib.metadata import version

import requests
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from shared.db.metrics.spans import SpanRow
from shared.errors import TickworkError

_TIMEOUT_S = (3, 10)
_KINDS = {"alert": Span.SPAN_KIND_SERVER, "job": Span.SPAN_KIND_CONSUMER, "call": Span.SPAN_KIND_CLIENT}
_HEADERS = {"Content-Type": "application/x-protobuf"}

log = logging.getLogger(__name__)


class CollectorError(TickworkError):
    """The collector did not take the spans."""


class Collector:
    """The collector at a URL, such as http://127.0.0.1:4318/v1/traces."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        names = {"service.name": "tickwork", "service.version": version("tickwork"), "host.name": platform.node()}
        self._resource = Resource(attributes=_encode(names))

    def send(self, rows: Sequence[SpanRow]) -> None:
        """Send spans; raise CollectorError if it does not take them within some seconds."""
        scope = ScopeSpans(scope=InstrumentationScope(name="tickwork"), spans=[build_span(row) for row in rows])
        request = ExportTraceServiceRequest(
            resource_spans=[ResourceSpans(resource=self._resource, scope_spans=[scope])]
        )
        try:
            answer = self._session.post(
                self._url,
                request.SerializeToString(),
                headers=_HEADERS,
                timeout=_TIMEOUT_S,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise CollectorError(f"the collector at {self._url} does not answer: {error}") from error
        if answer.status_code != requests.codes.ok:
            raise CollectorError(f"the collector at {self._url} answered {answer.status_code}")
        self._warn_of_refused(answer.content)

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def _warn_of_refused(self, answer: bytes) -> None:
        """Log how many spans the collector has dropped: it takes them no better a second time, says the protocol."""
        try:
            refused = ExportTraceServiceResponse.FromString(answer).partial_success
        except DecodeError:
            return
        if refused.rejected_spans:
            log.warning("the collector dropped %s spans: %s", refused.rejected_spans, refused.error_message)


def build_span(row: SpanRow) -> Span:
    """Return the span of a row: its trace has the number of the cause, so `tickwork trace` takes the trace's id."""
    kind = row.key.partition(" ")[0]
    return Span(
        trace_id=row.cause.bytes,
        span_id=_hash(row.key),
        parent_span_id=b"" if row.parent_key is None else _hash(row.parent_key),
        name=row.name,
        kind=_KINDS.get(kind, Span.SPAN_KIND_INTERNAL),
        start_time_unix_nano=_to_ns(row.began_at),
        end_time_unix_nano=_to_ns(max(row.ended_at, row.began_at)),
        attributes=_encode(row.attributes),
        events=[
            Span.Event(name=name, time_unix_nano=_to_ns(datetime.fromisoformat(at))) for name, at in row.events.items()
        ],
        status=Status() if row.error is None else Status(code=Status.STATUS_CODE_ERROR, message=row.error),
    )


def _encode(attributes: Mapping[str, str | int]) -> list[KeyValue]:
    return [
        KeyValue(
            key=name, value=AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=str(value))
        )
        for name, value in attributes.items()
    ]


def _hash(key: str) -> bytes:
    return blake2b(key.encode(), digest_size=8).digest()


def _to_ns(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000) * 1000
