# SPDX-License-Identifier: LGPL-2.1-or-later
"""The list of live operations, and the completion of operations while Python code raises exceptions."""

from __future__ import annotations

import asyncio
import gc
import inspect
import sys
from collections.abc import Callable, Generator
from types import SimpleNamespace
from typing import Any

import aioxen
import pytest
from aioxen._convert import put_DomainConfig
from aioxen._native import ffi, lib
from aioxen._operations import _DOMAIN_PAUSE, _DOMAIN_WAIT_GONE, _HOST_INFO
from aioxen._spec import CffiSpec, DomainResult, Result
from aioxen._values import CData, Keep
from aioxen.operation import Operation
from worldly import Configure, ended


async def by_hand(xen: aioxen.Context, operations: list[Operation[Any]]) -> Callable[[], None]:
    """Waits until all operations have completed, but does not deliver the completions. Returns a function
    that delivers the completions."""
    loop = asyncio.get_running_loop()
    fd = lib.libxl_ctx_fd(xen._c)
    loop.remove_reader(fd)
    while xen.counters().events < len(operations):
        await asyncio.sleep(0.001)
        lib.libxl_ctx_process(xen._c)
    loop.add_reader(fd, lambda: None)  # aclose() removes the reader.
    drain: Callable[[], None] = xen._deliver_events
    return drain


@pytest.mark.parametrize(
    "call", [_DOMAIN_PAUSE, _DOMAIN_WAIT_GONE, _HOST_INFO], ids=lambda call: str(call.name)
)
async def test_completed_operations_are_freed(xen: aioxen.Context, call: CffiSpec) -> None:
    inputs = [31_999] * len(call.input_names)

    async def some() -> tuple[int, int, int]:
        for _ in range(50):
            for operation in [xen._start(call, None, *inputs) for _ in range(10)]:
                await ended(operation)
            del operation
        await asyncio.sleep(0)
        gc.collect()
        kept = [o for o in gc.get_objects() if isinstance(o, Operation) and not o.done()]
        return sys.getrefcount(xen), sys.getrefcount(call), len(kept)

    assert await some() == await some()


async def test_live_operations_are_those_that_have_not_completed(xen: aioxen.Context) -> None:
    waiting = xen.domain_wait_shutdown(0)
    gone = xen.domain_wait_gone(31_999)
    assert set(xen._live_operations()) == {waiting, gone}
    await gone
    assert xen._live_operations() == [waiting]
    waiting.cancel()
    await ended(waiting)
    assert xen._live_operations() == []


async def test_an_interrupt_loses_neither_an_operation_nor_its_result(
    xen: aioxen.Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user presses Ctrl-C while Python reads a result from C memory."""
    value = CffiSpec.read_results

    def interrupted(call: CffiSpec, *arguments: Any) -> Any:
        monkeypatch.setattr(CffiSpec, "read_results", value)
        raise KeyboardInterrupt

    names = [xen.domain_get_name(0) for _ in range(3)]
    deliver = await by_hand(xen, list(names))
    monkeypatch.setattr(CffiSpec, "read_results", interrupted)
    with pytest.raises(KeyboardInterrupt):
        deliver()
    assert [name.result() for name in names] == ["Domain-0"] * 3


async def test_an_exception_while_one_completes_does_not_affect_others(
    xen: aioxen.Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(operation: Operation[Any], rc: int, message: str) -> None:
        raise ZeroDivisionError(message)

    failing = [xen.domain_find("nobody") for _ in range(2)]
    names = [xen.domain_get_name(0) for _ in range(2)]
    deliver = await by_hand(xen, [*failing, *names])
    monkeypatch.setattr(failing[0].__class__, "_error", faulty)
    deliver()
    assert [type(operation.exception()) for operation in failing] == [ZeroDivisionError] * 2
    assert [name.result() for name in names] == ["Domain-0"] * 2
    assert xen._live_operations() == []
    assert xen.counters().operations == 0


async def test_the_results_of_an_undone_operation(xen: aioxen.Context, guest: Configure) -> None:
    """The undo gets each struct by its address. Python frees the memory that C has allocated
    for the results."""

    def create(ctx: CData, config: CData, domid: CData, name: CData, info: CData, *how: CData) -> int:
        info.domid = 7
        return int(lib.libxl_domain_create_new(ctx, config, domid, *how))

    def destroy(ctx: CData, domid: int, info: CData, how: CData) -> int:
        seen.append(info.domid)
        return int(lib.libxl_domain_destroy(ctx, domid, how))

    seen: list[int] = []
    freed: list[CData] = []
    back = CffiSpec("destroy", destroy, inputs=("domid", "info"), domid=0)
    results = (
        DomainResult("libxl_domid *"),
        Result("char **", lambda _: "", freed.append),
        Result("libxl_dominfo *", lambda _: None),
    )
    call = CffiSpec("create", create, ("d_config",), results=results, reports=True, undo=(back, (0, 2)))
    config, keep = ffi.new("libxl_domain_config *"), Keep()
    put_DomainConfig(config, guest(), "d_config", keep)
    before = len(await xen.domain_list())
    operation = xen._start(call, None, config, ffi.NULL)
    deliver = await by_hand(xen, [operation])
    operation.cancel()  # This cancellation is too late, because the C operation has succeeded.
    while not operation.done():
        await asyncio.sleep(0.001)
        deliver()
    assert operation.cancelled()
    assert seen == [7]
    assert len(freed) == 1
    assert len(await xen.domain_list()) == before


async def test_delivery_may_be_entered_again(xen: aioxen.Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python code that runs during a delivery may run the loop, which starts another delivery."""
    value = CffiSpec.read_results
    gone: list[Operation[Any]] = []

    def meanwhile(call: CffiSpec, *arguments: Any) -> Any:
        if not gone:
            gone.extend(xen.domain_wait_gone(31_999) for _ in range(5))
            deliver()
        return value(call, *arguments)

    names = [xen.domain_get_name(0) for _ in range(3)]
    deliver = await by_hand(xen, list(names))
    monkeypatch.setattr(CffiSpec, "read_results", meanwhile)
    deliver()
    assert [name.result() for name in names] == ["Domain-0"] * 3
    assert [operation.done() for operation in gone] == [True] * 5


async def test_an_input_may_start_an_operation(xen: aioxen.Context) -> None:
    names = []

    class Meddler:
        def __index__(self) -> int:
            names.append(xen.domain_get_name(12345))
            return 0

        __int__ = __index__

    assert await xen.domain_get_name(Meddler()) == "Domain-0"  # type: ignore[arg-type]
    for name in names:
        with pytest.raises(aioxen.DomainNotFoundError):
            await name


async def test_an_instant_operation_is_called_once(
    xen: aioxen.Context, guest: Configure, sim: Callable[..., str]
) -> None:
    """A call of a failing instant operation calls the C function only once. This holds for calls that run
    in C and for calls that run in Python."""
    dom = await xen.domain_create(guest())
    either: list[aioxen.Domain | int] = [dom, dom.domid]
    for domid in either:
        sim("fault", "add", "domctl.pausedomain:1:EPERM")
        with pytest.raises(aioxen.NoPermissionError):
            await xen.domain_pause(domid)
        sim("fault", "clear")
    await dom.unpause()
    assert not (await dom.info()).paused
    await dom.destroy()


def test_the_error_names_the_input_that_was_refused() -> None:
    call = CffiSpec("get_info", lib.libxl_domain_get_info, inputs=("domid", "info"), domid=0)
    nothing: Any = SimpleNamespace(_c=ffi.NULL)
    with pytest.raises(OverflowError, match=r"^get_info\(domid=-1\): "):
        call.call(nothing, (-1, ffi.NULL), (), 0)


async def test_the_iterator_of_a_completed_operation(xen: aioxen.Context, guest: Configure) -> None:
    dom = await xen.domain_create(guest())
    pausing = xen.domain_pause(dom)
    assert pausing.done()

    def steps() -> Generator[Any, None, None]:
        """Begins an await. At most one of two successive awaits has a generator, to let the loop run."""
        return next(s for s in (pausing.__await__(), pausing.__await__()) if not inspect.isgenerator(s))

    with pytest.raises(StopIteration) as stopped:
        next(steps())
    assert stopped.value.value is None
    with pytest.raises(StopIteration):
        steps().send(None)
    with pytest.raises(ZeroDivisionError, match="thrown"):
        steps().throw(ZeroDivisionError("thrown"))
    steps().close()
    assert await pausing is None  # type: ignore[func-returns-value]
    await dom.unpause()
    await dom.destroy()
