# SPDX-License-Identifier: LGPL-2.1-or-later
"""Hooks are called at the start, the phases, the failure and the end of each operation."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import aioxen
import pytest
from aioxen import hooks
from aioxen.hooks import Hook, ObservedOperation, Phase
from worldly import Configure, ended

Call = tuple[Any, ...]


class Recorder(Hook):
    """Records all calls, as ("start", operation), ("phase", operation, phase), ..."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.operations: list[ObservedOperation] = []

    def start(self, op: ObservedOperation) -> None:
        assert (op.ended_ns, op.outcome, op.phases) == (None, None, [])
        self.operations.append(op)
        self.calls.append(("start", op.name))

    def phase(self, op: ObservedOperation, phase: Phase) -> None:
        assert op.phases[-1] is phase
        assert op.outcome is None
        self.calls.append(("undo" if phase.undo else "phase", op.name, phase.name))

    def error(self, op: ObservedOperation, error: BaseException) -> None:
        self.calls.append(("error", op.name, type(error)))

    def end(self, op: ObservedOperation) -> None:
        assert op.ended_ns is not None
        self.calls.append(("end", op.name, op.outcome))

    def of(self, name: str) -> list[Call]:
        return [call for call in self.calls if call[1] == name]


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    made = Recorder()
    hooks.add(made)
    yield made
    hooks.remove(made)


async def test_each_phase_of_each_operation(
    xen: aioxen.Context, guest: Configure, recorder: Recorder
) -> None:
    before = time.monotonic_ns()
    dom = await xen.domain_create(guest("l"))
    await dom.unpause()
    await dom.shutdown()
    await dom.destroy()
    creation, unpause, request, wait, destruction = recorder.operations
    assert [phase.name for phase in creation.phases] == [
        *("name", "make", "bootloader", "admission", "build", "introduce", "console", "devices", "unmark")
    ]
    assert recorder.of("domain_create")[1:-1] == [("phase", "domain_create", p.name) for p in creation.phases]
    assert recorder.of("domain_unpause") == [
        ("start", "domain_unpause"),
        ("end", "domain_unpause", "success"),
    ]
    assert [phase.name for phase in request.phases] == ["request", "acknowledge", "confirm"]
    assert (wait.name, wait.phase) == ("domain_wait_shutdown", "stopped")
    assert (creation.instant, unpause.instant, destruction.instant) == (False, True, False)
    for op in recorder.operations:
        assert (op.domid, op.uuid, op.outcome, op.error) == (dom.domid, dom.uuid, "success", None)
        times = [before, op.started_ns, *(p.started_ns for p in op.phases), op.ended_ns, time.monotonic_ns()]
        assert times == sorted(times)  # type: ignore[type-var]
    assert repr(destruction) == f"<ObservedOperation domain_destroy domid={dom.domid} success>"


async def test_a_failure_and_its_undo(
    xen: aioxen.Context, guest: Configure, recorder: Recorder, sim: Any
) -> None:
    config = guest("l")
    config.disks = [aioxen.disk("/nonexistent", "xvda")]
    with pytest.raises(aioxen.Error) as raised:
        await xen.domain_create(config)
    (op,) = recorder.operations
    assert op.error is raised.value
    assert recorder.calls[-2:] == [
        ("error", "domain_create", type(raised.value)),
        ("end", "domain_create", "error"),
    ]
    undone = [call[2] for call in recorder.calls if call[0] == "undo"]
    entered = [call[2] for call in recorder.calls if call[0] == "phase"]
    assert entered[-1] == "devices"
    assert undone
    assert undone == [name for name in reversed(entered) if name in undone]


async def test_an_operation_that_is_refused_at_once(xen: aioxen.Context, recorder: Recorder) -> None:
    starts: list[Callable[[int], aioxen.Operation[Any]]]
    starts = [xen.domain_pause, xen.domain_shutdown, xen.domain_get_info]
    for start in starts:
        with pytest.raises(aioxen.DomainNotFoundError):
            await start(31_999)
    assert [op.outcome for op in recorder.operations] == ["error"] * 3
    assert [op.domid for op in recorder.operations] == [31_999] * 3
    with pytest.raises(OverflowError):
        xen.domain_set_max_memory(0, 1 << 65)  # cffi refuses the number, so nothing is started.
    assert recorder.calls[-1] == ("end", "domain_set_max_memory", "cancelled")


async def test_a_cancelled_operation_ends_after_its_undo(
    xen: aioxen.Context, guest: Configure, recorder: Recorder
) -> None:
    for turns in range(0, 40, 4):
        creation = xen.domain_create(guest())
        for _ in range(turns):
            await asyncio.sleep(0.001)
        creation.cancel()
        await ended(creation)
        while any(op.outcome is None for op in recorder.operations):
            await asyncio.sleep(0.001)
    outcomes = {op.name: set[Any]() for op in recorder.operations}
    for op in recorder.operations:
        outcomes[op.name].add(op.outcome)
    assert "cancelled" in outcomes["domain_create"]
    assert outcomes.get("domain_destroy", {"success"}) == {"success"}
    assert not recorder.of("error")


async def test_closing_ends_the_operations(guest: Configure, recorder: Recorder, hypervisor: None) -> None:
    xen = aioxen.Context()
    waiting = xen.domain_wait_shutdown(0)
    await xen.aclose()
    assert isinstance(waiting.exception(), aioxen.ClosedError)
    assert recorder.calls[-1] == ("end", "domain_wait_shutdown", "cancelled")


async def test_inputs_without_secrets(xen: aioxen.Context, guest: Configure, recorder: Recorder) -> None:
    config = guest(name="shown")
    config.vfbs = [aioxen.DeviceVfb(vnc=aioxen.VncInfo(passwd="hidden"))]
    creation = xen.domain_create(config)
    creation.cancel()
    await ended(creation)
    with pytest.raises(aioxen.Error):
        await xen.vfb_add(31_999, config.vfbs[0])
    with pytest.raises(aioxen.Error):
        await xen.disk_add(31_999, aioxen.disk("/dev/null", "xvda"))
    with pytest.raises(aioxen.Error):
        await xen.domain_send_sysrq(31_999, "h")
    inputs = {op.name: op.inputs for op in recorder.operations}
    assert inputs["domain_create"]["d_config"]["name"] == "shown"
    assert inputs["disk_add"]["disk"]["pdev_path"] == "/dev/null"
    assert inputs["disk_add"]["disk"]["vdev"] == "xvda"
    assert inputs["domain_send_sysrq"] == {"sysrq": "h", "wait": True}
    assert "hidden" not in repr(inputs)


async def test_a_hook_that_fails_disturbs_nothing(
    xen: aioxen.Context, guest: Configure, recorder: Recorder
) -> None:
    reports: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))

    class Failing(Hook):
        def start(self, op: ObservedOperation) -> None:
            raise ZeroDivisionError("start")

        def phase(self, op: ObservedOperation, phase: Phase) -> None:
            raise ZeroDivisionError("phase")

        def end(self, op: ObservedOperation) -> None:
            raise ZeroDivisionError("end")

    failing = Failing()
    hooks.add(failing)
    await xen.domain_wait_gone(31_999)
    dom = await xen.domain_create(guest())
    hooks.remove(failing)
    await dom.destroy()
    assert {str(report["exception"]) for report in reports} == {"start", "phase", "end"}
    assert "Failing.start failed for <ObservedOperation" in reports[0]["message"]
    assert [op.outcome for op in recorder.operations] == ["success"] * 3


async def test_an_interrupt_in_a_hook_starts_nothing(xen: aioxen.Context, recorder: Recorder) -> None:
    class Interrupting(Hook):
        def start(self, op: ObservedOperation) -> None:
            raise KeyboardInterrupt

    interrupting = Interrupting()
    hooks.add(interrupting)
    starts: list[Callable[[int], aioxen.Operation[Any]]] = [xen.domain_wait_shutdown, xen.domain_get_info]
    for start in starts:
        with pytest.raises(KeyboardInterrupt):
            start(0)
    hooks.remove(interrupting)
    assert xen.operations() == []
    assert recorder.calls[1::2] == [
        ("end", "domain_wait_shutdown", "cancelled"),
        ("end", "domain_get_info", "cancelled"),
    ]


async def test_an_interrupt_at_the_end_calls_the_other_hooks(xen: aioxen.Context) -> None:
    class Interrupting(Hook):
        def end(self, op: ObservedOperation) -> None:
            raise KeyboardInterrupt

    interrupting, after = Interrupting(), Recorder()
    hooks.add(interrupting)
    hooks.add(after)
    with pytest.raises(KeyboardInterrupt):
        xen.domain_get_info(0)
    hooks.remove(interrupting)
    hooks.remove(after)
    assert after.calls[-1] == ("end", "domain_get_info", "success")


async def test_progress_is_still_reported_to_the_caller(
    xen: aioxen.Context, guest: Configure, recorder: Recorder
) -> None:
    events: list[Any] = []
    dom = await xen.domain_create(guest(), progress=events.append)
    await dom.destroy(progress=events.append)
    assert [event.phase for event in events if isinstance(event, aioxen.OperationProgress)][-1] == "teardown"
    assert any(isinstance(event, aioxen.DomainCreateConsoleAvailable) for event in events)
    assert recorder.operations[0].phases[0].name == "name"
    assert xen._progress_callbacks == {}


async def test_the_hook_of_one_context(xen: aioxen.Context) -> None:
    mine, recorder = Recorder(), Recorder()
    async with aioxen.Context() as other:
        hooks.add(mine, other)
        hooks.add(recorder)
        await other.domain_list()
        await xen.host_info()
        hooks.remove(recorder)
        await other.host_info()
        hooks.remove(mine)
        await other.domain_list()
    assert [op.name for op in mine.operations] == ["domain_list", "host_info"]
    assert [(op.name, op.xen) for op in recorder.operations] == [("domain_list", other), ("host_info", xen)]


async def test_without_hooks_nothing_is_kept(xen: aioxen.Context) -> None:
    recorder = Recorder()
    hooks.add(recorder)
    first = xen.domain_get_info(0)
    hooks.remove(recorder)
    assert first._observed is not None
    assert xen.domain_get_info(0)._observed is None
    dead = weakref.ref(recorder)
    del recorder, first
    gc.collect()
    assert dead() is None


def test_a_hook_is_an_instance() -> None:
    with pytest.raises(TypeError, match="hook: a Hook is expected"):
        hooks.add(Recorder)  # type: ignore[arg-type]
