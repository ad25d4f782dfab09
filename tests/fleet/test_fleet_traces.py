# SPDX-License-Identifier: LGPL-2.1-or-later
"""The spans of an agent are below the spans of the program that has called it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aioxen.hooks
import aioxen.opentelemetry
import pytest
from aioxen.errors import DomainNotFoundError
from fleetly import Broker, connect, guest, worlds
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

# Like `opentelemetry-instrument`, this sets the provider before the program begins.
CUSTOMIZE = """
import os
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

out = open(os.environ["SPANS"], "a", buffering=1)
exporter = ConsoleSpanExporter(out=out, formatter=lambda span: span.to_json(indent=None) + "\\n")
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
"""


@pytest.fixture
def spans() -> Iterator[tuple[Any, InMemorySpanExporter]]:
    """Yields a tracer of the program, and the exporter that keeps the spans that have ended."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing = aioxen.opentelemetry.install(provider)
    yield provider.get_tracer("test"), exporter
    aioxen.hooks.remove(tracing)


async def test_a_trace_goes_on_in_the_agent(
    tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch, spans: tuple[Any, InMemorySpanExporter]
) -> None:
    tracer, exporter = spans
    (tmp_path / "custom").mkdir()
    (tmp_path / "custom/sitecustomize.py").write_text(CUSTOMIZE)
    told = tmp_path / "spans"
    monkeypatch.setenv("SPANS", str(told))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}/custom:{os.environ['PYTHONPATH']}")
    with worlds(tmp_path, ["h1"], broker.url, "--trace"):
        async with connect(broker.url) as f:
            await f.wait_for("h1")
            with tracer.start_as_current_span("request"):
                dom = await f["h1"].domain_create(guest())
                await dom.destroy()
                with pytest.raises(DomainNotFoundError):
                    await dom.info()
            await f["h1"].domain_list()
    *ours, other = [span for span in exporter.get_finished_spans() if span.name != "request"]
    root = next(span for span in exporter.get_finished_spans() if span.name == "request")
    assert [(span.name, dict(span.attributes)["xen.outcome"]) for span in ours] == [
        ("domain_create", "success"), ("domain_destroy", "success"), ("domain_get_info", "error")
    ]  # fmt: skip
    assert {span.parent.span_id for span in ours} == {root.context.span_id}
    assert other.parent is None
    theirs = [json.loads(line) for line in told.read_text().splitlines()]
    for span in (*ours, other):
        below = [one for one in theirs if one["parent_id"] == f"0x{span.context.span_id:016x}"]
        assert [one["name"] for one in below] == [span.name]
        assert below[0]["context"]["trace_id"] == f"0x{span.context.trace_id:032x}"
    phases = [one for one in theirs if one["attributes"].get("xen.undo") is False]
    assert {one["context"]["trace_id"] for one in phases} == {f"0x{root.context.trace_id:032x}"}
