"""A collector of OpenTelemetry: takes spans by OTLP, the protocol, as protobuf over HTTP."""

import logging
import platform
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from importlib.metadata import version

import requests
import urllib3
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from shared.clock import monotonic
from shared.db.metrics.spans import SpanRow
from shared.errors import TickworkError

_TIMEOUT_S = (3, 10)
_ANSWERED_WITHIN_S, _MOST_BYTES = 10.0, 65_536
_KINDS = {"alert": Span.SPAN_KIND_SERVER, "job": Span.SPAN_KIND_CONSUMER, "call": Span.SPAN_KIND_CLIENT}
_HEADERS = {"Content-Type": "application/x-protobuf"}
# The spans themselves are at fault. By the protocol (https://opentelemetry.io/docs/specs/otlp/) only 429, 502, 503 and
# 504 are tried again; but a person mends a wrong path or a missing permission, so that is told and waits.
_DROPPED = {400, 413}

log = logging.getLogger(__name__)


class CollectorError(TickworkError):
    """The collector has not taken the spans, and may take them later."""


class Collector:
    """The collector at a URL, such as http://127.0.0.1:4318/v1/traces."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy sees the spans
        names = {"service.name": "tickwork", "service.version": version("tickwork"), "host.name": platform.node()}
        self._resource = Resource(attributes=_encode(names))

    def send(self, rows: Sequence[SpanRow]) -> None:
        """Send spans; raise CollectorError if it does not take them within some seconds.

        What it calls invalid or too large is dropped, with a line of the log.
        """
        scope = ScopeSpans(scope=InstrumentationScope(name="tickwork"), spans=[build_span(row) for row in rows])
        request = ExportTraceServiceRequest(
            resource_spans=[ResourceSpans(resource=self._resource, scope_spans=[scope])]
        )
        try:
            with self._session.post(
                self._url,
                request.SerializeToString(),
                headers=_HEADERS,
                timeout=_TIMEOUT_S,
                allow_redirects=False,
                stream=True,
            ) as answer:
                status, body = answer.status_code, _read_body(answer)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise CollectorError(f"the collector at {self._url} does not answer: {error}") from error
        if status in _DROPPED:
            log.warning("the collector refused %s spans, which are dropped: it answered %s", len(rows), status)
        elif status // 100 != 2:  # noqa: PLR2004  # a success
            raise CollectorError(f"the collector at {self._url} answered {status}")
        else:
            _warn_of_refused(body)

    def close(self) -> None:
        """Close the connection."""
        self._session.close()


def _read_body(answer: requests.Response) -> bytes:
    """Return the beginning of an answer, as much of it as comes in time."""
    body, give_up_at = b"", monotonic() + _ANSWERED_WITHIN_S
    while len(body) < _MOST_BYTES and monotonic() < give_up_at:
        part = answer.raw.read1(_MOST_BYTES)
        if not part:
            break
        body += part
    return body


def _warn_of_refused(answer: bytes) -> None:
    """Log how many spans the collector has dropped: it takes them no better a second time, says the protocol."""
    try:
        refused = ExportTraceServiceResponse.FromString(answer).partial_success
    except DecodeError:
        return
    if refused.rejected_spans:
        log.warning("the collector dropped %s spans: %.200s", refused.rejected_spans, refused.error_message)


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
