# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes a span of OpenTelemetry for each operation.

aioxen.opentelemetry.install()

The parent of an operation's span is the span that is current where the operation is started. Each phase is a
span below the operation's span, and so is the undo of each phase. A failed operation has the status ERROR and
the exception. Spans have these attributes, if they are known:

xen.domid, xen.uuid     the domain
xen.outcome             "success", "error" or "cancelled"
xen.input.NAME          an input, or xen.input.NAME.FIELD; secret inputs are left out
xen.undo                of a phase: whether it is undone
xen.host                of an operation on a host of a fleet: the host

An operation on a host of a fleet has a span of the kind CLIENT in the program. Its context travels in the
headers of NATS, so that the spans of an agent (aioxen-agent --trace) are below it.

This module needs the package opentelemetry-api.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from aioxen import _values as v
from aioxen import hooks

if TYPE_CHECKING:
    from opentelemetry import trace

    from aioxen.context import Context

__all__ = ["Tracing", "install"]


class _Spans:
    """The spans of one operation."""

    __slots__ = ("operation", "phase", "offset_ns")

    def __init__(self, operation: trace.Span, offset_ns: int) -> None:
        self.operation = operation
        self.phase: trace.Span | None = None
        self.offset_ns = offset_ns  # The difference between the time since 1970 and the monotonic clock.


class Tracing(hooks.Hook):
    """The hook that makes the spans. install() adds this hook.

    provider: Where the spans go. None: to the global provider of the program.

    phases: Whether each phase has a span.
    """

    def __init__(self, provider: trace.TracerProvider | None = None, *, phases: bool = True) -> None:
        from opentelemetry import trace  # Imported here, so that aioxen can be inspected without the package.

        self._trace = trace
        self._tracer = trace.get_tracer("aioxen", tracer_provider=provider)
        self._phases = phases

    def start(self, op: hooks.ObservedOperation) -> None:
        offset_ns = time.time_ns() - time.monotonic_ns()
        span = self._tracer.start_span(op.name, start_time=op.started_ns + offset_ns)
        op.data[self] = _Spans(span, offset_ns)
        if span.is_recording():
            for name, value in _flat("xen.input", op.inputs):
                span.set_attribute(name, value)

    def phase(self, op: hooks.ObservedOperation, phase: hooks.Phase) -> None:
        if not self._phases:
            return
        spans: _Spans = op.data[self]
        at = phase.started_ns + spans.offset_ns
        if spans.phase is not None:
            spans.phase.end(at)
        name = f"undo {phase.name}" if phase.undo else phase.name
        parent = self._trace.set_span_in_context(spans.operation)
        spans.phase = self._tracer.start_span(
            name, parent, start_time=at, attributes={"xen.undo": phase.undo}
        )

    def request(self, op: hooks.Request, headers: dict[str, str]) -> None:
        from opentelemetry.trace.propagation import tracecontext

        span = self._tracer.start_span(op.name, kind=self._trace.SpanKind.CLIENT)
        span.set_attribute("xen.host", op.host.name)
        tracecontext.TraceContextTextMapPropagator().inject(headers, self._trace.set_span_in_context(span))
        op.add_done_callback(lambda _: self._requested(op, span))

    def _requested(self, op: hooks.Request, span: trace.Span) -> None:
        outcome = "cancelled"
        if not op.cancelled():
            error = op.exception()
            outcome = "success" if error is None else "error"
            if error is not None:
                span.record_exception(error)
                span.set_status(self._trace.Status(self._trace.StatusCode.ERROR, v.valid_text(str(error))))
        span.set_attribute("xen.outcome", outcome)
        span.end()

    def error(self, op: hooks.ObservedOperation, error: BaseException) -> None:
        spans: _Spans = op.data[self]
        spans.operation.record_exception(error)
        failed = self._trace.StatusCode.ERROR
        spans.operation.set_status(self._trace.Status(failed, v.valid_text(str(error))))

    def end(self, op: hooks.ObservedOperation) -> None:
        spans: _Spans = op.data.pop(self)
        at = (op.ended_ns or time.monotonic_ns()) + spans.offset_ns
        if spans.phase is not None:
            spans.phase.end(at)
        span = spans.operation
        if op.domid is not None:
            span.set_attribute("xen.domid", op.domid)
        if op.uuid is not None:
            span.set_attribute("xen.uuid", str(op.uuid))
        span.set_attribute("xen.outcome", op.outcome or "")
        span.end(at)


def install(
    provider: trace.TracerProvider | None = None, *, xen: Context | None = None, phases: bool = True
) -> Tracing:
    """Makes spans for the operations that are started from now on. aioxen.hooks.remove(the result) ends this.

    provider: Where the spans go. None: to the global provider of the program.

    xen: The context whose operations have spans. None: all contexts.

    phases: Whether each phase has a span.
    """
    made = Tracing(provider, phases=phases)
    hooks.add(made, xen)
    return made


@contextlib.contextmanager
def within(headers: Mapping[str, str]) -> Iterator[None]:
    """Makes the span in the headers of a request the current span. Wrong headers are ignored."""
    from opentelemetry import context
    from opentelemetry.trace.propagation import tracecontext

    token = context.attach(tracecontext.TraceContextTextMapPropagator().extract(headers))
    try:
        yield
    finally:
        context.detach(token)


def _flat(name: str, value: object) -> Iterator[tuple[str, str | int | float]]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _flat(f"{name}.{key}", part)
    elif isinstance(value, str):
        yield name, v.valid_text(value)
    elif isinstance(value, (int, float)):
        yield name, value if abs(value) < 1 << 63 else str(value)  # An attribute has 64 bits.
