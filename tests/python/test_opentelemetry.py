# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each operation makes a span of OpenTelemetry. Debian 12 has no package of OpenTelemetry, so it comes from
PyPI."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import aioxen
import aioxen.hooks
import aioxen.opentelemetry
import pytest
from worldly import ROOT, Configure, ended

VENV = ROOT / "build" / "opentelemetry"


@pytest.fixture(scope="session")
def sdk() -> None:
    """Makes the packages importable. Later releases need newer packages than those of Debian 12."""
    packages = VENV / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    if not (packages / "opentelemetry" / "sdk").exists():
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
        subprocess.run([VENV / "bin" / "pip", "-q", "install", "opentelemetry-sdk==1.27.*"], check=True)
    sys.path.append(str(packages))


@pytest.fixture
def spans(sdk: None) -> Iterator[tuple[Any, Any]]:
    """Yields a tracer of the program, and the exporter that keeps the spans that have ended."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing = aioxen.opentelemetry.install(provider)
    yield provider.get_tracer("test"), exporter
    aioxen.hooks.remove(tracing)


async def test_spans_have_the_current_span_as_parent(
    xen: aioxen.Context, guest: Configure, spans: tuple[Any, Any]
) -> None:
    tracer, exporter = spans

    async def live(name: str) -> aioxen.Domain:
        with tracer.start_as_current_span(name):
            dom = await xen.domain_create(guest(name=name))
            await dom.unpause()
            await dom.destroy()
            return dom

    domains = dict(zip("ab", await asyncio.gather(live("a"), live("b")), strict=True))
    finished = exporter.get_finished_spans()
    by_id = {span.context.span_id: span for span in finished}
    assert len(by_id) == len(finished)

    def path(span: Any) -> str:
        above = span.parent and by_id.get(span.parent.span_id)
        return f"{path(above)}/{span.name}" if above else str(span.name)

    paths = [path(span) for span in finished]
    phases = ["name", "make", "bootloader", "admission", "build", "introduce", "console", "devices", "unmark"]
    for name in "ab":
        mine = [each for each in paths if each.startswith(f"{name}/")]
        assert sorted(mine) == sorted(
            [
                f"{name}/domain_create",
                *(f"{name}/domain_create/{phase}" for phase in phases),
                f"{name}/domain_unpause",
                f"{name}/domain_destroy",
                f"{name}/domain_destroy/teardown",
            ]
        )
    for span in finished:
        above = span.parent and by_id.get(span.parent.span_id)
        if above:
            assert above.context.trace_id == span.context.trace_id
            assert above.start_time <= span.start_time <= span.end_time <= above.end_time
    for span, where in zip(finished, paths, strict=True):
        if where.count("/") == 1:
            dom = domains[where[0]]
            assert span.attributes["xen.domid"] == dom.domid
            assert span.attributes["xen.uuid"] == str(dom.uuid)
            assert span.attributes["xen.outcome"] == "success"
    creation = finished[paths.index("a/domain_create")]
    assert creation.attributes["xen.input.d_config.name"] == "a"
    assert creation.status.is_unset


async def test_a_failed_and_a_cancelled_operation(
    xen: aioxen.Context, guest: Configure, spans: tuple[Any, Any]
) -> None:
    from opentelemetry.trace import StatusCode

    config = guest()
    config.disks = [aioxen.disk("/nonexistent", "xvda")]
    with pytest.raises(aioxen.Error) as raised:
        await xen.domain_create(config)
    waiting = xen.domain_wait_shutdown(0)
    waiting.cancel()
    await ended(waiting)
    finished = spans[1].get_finished_spans()
    failed = next(span for span in finished if span.name == "domain_create")
    assert failed.status.status_code is StatusCode.ERROR
    assert failed.status.description == str(raised.value)
    assert [event.attributes["exception.message"] for event in failed.events] == [str(raised.value)]
    assert failed.attributes["xen.outcome"] == "error"
    undone = [span.name for span in finished if (span.attributes or {}).get("xen.undo")]
    assert "undo make" in undone
    assert all(name.startswith("undo ") for name in undone)
    cancelled = next(span for span in finished if span.name == "domain_wait_shutdown")
    assert cancelled.status.is_unset
    assert cancelled.attributes["xen.outcome"] == "cancelled"


async def test_only_operations(xen: aioxen.Context, sdk: None) -> None:
    """Without phases, and with the global provider, which makes no spans."""
    tracing = aioxen.opentelemetry.install(xen=xen, phases=False)
    await xen.domain_wait_gone(31_999)
    with pytest.raises(aioxen.DomainNotFoundError):
        await xen.domain_shutdown(31_999)
    aioxen.hooks.remove(tracing)


def test_the_package_is_imported_when_it_is_used() -> None:
    program = "import sys; sys.modules['opentelemetry'] = None; import aioxen.opentelemetry as o; o.install()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "in install" in done.stderr
    assert "ModuleNotFoundError" in done.stderr
