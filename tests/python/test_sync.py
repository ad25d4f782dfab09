# SPDX-License-Identifier: LGPL-2.1-or-later
"""aioxen.sync: the library for scripts without an event loop."""

from __future__ import annotations

import asyncio
import inspect
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import assert_type

import aioxen
import aioxen.store
import aioxen.sync
import aioxen.transaction
import pytest
from aioxen import _operations, _sync_operations
from aioxen._sync_derived import Store, Transaction
from limits import scaled
from worldly import Configure


@pytest.fixture
def xen(hypervisor: None) -> Iterator[aioxen.sync.Context]:
    with aioxen.sync.Context() as context:
        yield context
    counters = context.counters()
    assert counters.operations_started == counters.operations_completed


def test_the_life_of_a_domain(xen: aioxen.sync.Context, guest: Configure) -> None:
    dom = xen.domain_create(guest("l", name="script"), timeout=60)
    assert_type(dom, aioxen.sync.Domain)
    assert_type(dom.name(), str)
    assert (dom.name(), dom.state(), dom.info().domid) == ("script", aioxen.DomainState.PAUSED, dom.domid)
    dom.unpause()
    assert xen.domain("script") == xen.domain(dom.domid) == xen.domain(dom.uuid) == dom
    assert dom in list(xen.domains)
    assert dom.shutdown(timeout=60) is aioxen.ShutdownReason.POWEROFF
    dom.destroy()
    assert dom.state() is aioxen.DomainState.GONE
    with pytest.raises(aioxen.DomainGoneError):
        dom.pause()
    dom.wait_gone()


def test_every_operation_is_a_method_with_the_same_parameters() -> None:
    for ours, theirs in (
        (_sync_operations.ContextOperations, _operations.ContextOperations),
        (_sync_operations.DomainOperations, _operations.DomainOperations),
    ):
        public = {name for name in vars(theirs) if not name.startswith("_")}
        assert public == {name for name in vars(ours) if not name.startswith("_")}
        for name in public:
            sync, core = getattr(ours, name), getattr(theirs, name)
            assert inspect.signature(sync).parameters.keys() == inspect.signature(core).parameters.keys()
            assert f"Operation[{sync.__annotations__['return']}]" in core.__annotations__["return"]
            assert "Interrupted: " in inspect.cleandoc(sync.__doc__)


def test_time_limits_and_errors(xen: aioxen.sync.Context) -> None:
    with pytest.raises(aioxen.TimedOutError):
        xen.domain_wait_shutdown(0, timeout=0.01)
    with pytest.raises(aioxen.DomainNotFoundError, match="31999"):
        xen.domain_get_name(31_999)
    with pytest.raises(aioxen.DomainNotFoundError, match="named 'nothing'"):
        xen.domain("nothing")
    with pytest.raises(TypeError, match="domid"):
        xen.domain_pause("x")  # type: ignore[arg-type]


def test_progress(xen: aioxen.sync.Context, guest: Configure) -> None:
    reports: queue.Queue[object] = queue.Queue()
    phases: list[str] = []
    dom = xen.domain_create(guest(), progress=reports.put_nowait)
    dom.destroy(progress=lambda event: phases.append(event.phase))
    assert any(isinstance(each, aioxen.DomainCreateConsoleAvailable) for each in list(reports.queue))
    assert phases == ["teardown"]


def test_events(xen: aioxen.sync.Context, guest: Configure) -> None:
    dom = xen.domain_create(guest("p"))
    with xen.events(dom) as events, xen.events(dom, types=[aioxen.DomainGone]) as ends:
        with pytest.raises(TimeoutError):
            events.get(timeout=0)
        dom.unpause()
        first = events.get(timeout=scaled(20))
        assert isinstance(first, aioxen.DomainShutdown)
        dom.destroy()
        assert [type(event) for event in events] == [aioxen.DomainDying, aioxen.DomainGone]
        with pytest.raises(EOFError):
            events.get()
        assert [type(event) for event in ends] == [aioxen.DomainGone]


def test_the_console(xen: aioxen.sync.Context, guest: Configure) -> None:
    dom = xen.domain_create(guest("b console=echo"))
    with dom.console() as console:
        dom.unpause()
        assert b"tiny" in console.readline(timeout=scaled(20))
        console.write("hello\n")
        assert console.expect(r"echo: (\w+)", timeout=scaled(20))[1] == b"hello"
        with pytest.raises(TimeoutError):
            console.expect("never", timeout=0.01)
    dom.destroy()


def test_the_asynchronous_context_can_be_used(xen: aioxen.sync.Context) -> None:
    async def names(core: aioxen.Context) -> list[str]:
        return list(await asyncio.gather(core.domain_get_name(0), core.domain_get_name(0)))

    assert xen.run(names) == ["Domain-0", "Domain-0"]


async def test_a_call_in_a_running_loop_is_refused(hypervisor: None) -> None:
    def work() -> None:
        with aioxen.sync.Context() as other:
            assert other.domain_get_name(0) == "Domain-0"

    await asyncio.to_thread(work)
    with pytest.raises(RuntimeError, match="would block the running event loop"):
        aioxen.sync.Context()


def test_a_closed_context_refuses_calls(hypervisor: None) -> None:
    xen = aioxen.sync.Context()
    xen.close()
    xen.close()
    assert xen.closed
    with pytest.raises(aioxen.ClosedError):
        xen.domain_pause(0)


def test_a_forked_child_leaves_the_loop_alone(xen: aioxen.sync.Context) -> None:
    child = os.fork()
    if not child:
        xen.close()
        del xen
        os._exit(0)
    os.waitpid(child, 0)
    assert xen.domain_get_name(0) == "Domain-0"


def interrupt_after(seconds: float) -> threading.Timer:
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    return timer


def test_ctrl_c_ends_a_wait_and_stops_the_operation(xen: aioxen.sync.Context, guest: Configure) -> None:
    dom = xen.domain_create(guest())
    timer = interrupt_after(0.05)
    with pytest.raises(KeyboardInterrupt):
        dom.wait_shutdown()
    timer.join()
    assert xen.operations() == []
    assert xen.counters().operations_aborted == 1
    timer = interrupt_after(0.05)
    with pytest.raises(KeyboardInterrupt), xen.events(dom) as events:
        events.get()
    timer.join()
    dom.destroy()


def test_ctrl_c_at_any_time_leaves_no_domain(xen: aioxen.sync.Context, guest: Configure) -> None:
    """An interrupt comes in each phase of a creation. The creation is undone, or the call returns the
    domain."""
    phases = 0
    for n in range(12):
        left = [n]

        def interrupt(event: object, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGINT)

        dom = None
        try:
            dom = xen.domain_create(guest(), progress=interrupt)
            time.sleep(0)
        except KeyboardInterrupt:
            phases += 1
        if dom is not None:
            dom.destroy()
        while xen.operations():
            xen.run(lambda core: asyncio.sleep(0.001))
        assert [d.domid for d in xen.domains] == [0]
    assert phases > 5


class Unusual(Exception):
    """An exception of a signal handler of the program."""


def test_an_exception_of_a_signal_handler_stops_the_operation(xen: aioxen.sync.Context) -> None:
    def handle(*_: object) -> None:
        raise Unusual

    before = signal.signal(signal.SIGALRM, handle)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(Unusual):
            xen.domain_wait_shutdown(0)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert xen.operations() == []
    assert xen.domain_get_name(0) == "Domain-0"


SCRIPT = """
import sys, aioxen, aioxen.sync
with aioxen.sync.Context() as xen:
    print("waiting", flush=True)
    xen.domain_wait_shutdown(0)
"""


def test_a_script_ends_at_ctrl_c(hypervisor: None) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as script:
        assert script.stdout
        script.stdout.readline()
        time.sleep(0.1)
        script.send_signal(signal.SIGINT)
        assert script.stderr
        assert b"KeyboardInterrupt" in script.stderr.read()
    assert script.returncode == -signal.SIGINT


def test_xenstore(xen: aioxen.sync.Context) -> None:
    store = xen.store
    store.write("/tool/script/a", "1")
    store.write("/tool/script/b", b"\xff")
    assert_type(store.read("/tool/script/a"), str)
    assert (store.read("/tool/script/a"), store.read_bytes("/tool/script/b")) == ("1", b"\xff")
    assert sorted(store.list("/tool/script")) == ["a", "b"]
    assert store.get("/tool/script/c") is None
    assert store.get("/tool/script/c", "none") == "none"
    walk = store.walk("/tool/script")
    assert next(walk) == ("/tool/script", "")
    assert dict(walk) == {"/tool/script/a": "1", "/tool/script/b": "\udcff"}
    permissions = store.permissions("/tool/script/a")
    store.set_permissions("/tool/script/b", permissions)
    assert store.permissions("/tool/script/b") == permissions
    with pytest.raises(aioxen.TimedOutError):
        store.wait("/tool/script/a", lambda value: value == "2", timeout=0.01)
    assert store.wait("/tool/script/a") == "1"
    store.remove("/tool/script")
    with pytest.raises(aioxen.NotFoundError):
        store.read("/tool/script/a")


def test_a_watch_of_xenstore(xen: aioxen.sync.Context) -> None:
    with xen.store.watch("/tool/script") as changes:
        assert_type(changes, aioxen.sync.Events[aioxen.StoreChanged])
        assert isinstance(change := changes.get(timeout=scaled(20)), aioxen.StoreChanged)
        assert change.path == "/tool/script"
        xen.store.write("/tool/script/a", "1")
        assert isinstance(change := next(changes), aioxen.StoreChanged)
        assert change.path == "/tool/script/a"
        xen.store.remove("/tool/script")


def test_transactions_of_xenstore(xen: aioxen.sync.Context) -> None:
    """A transaction's function may use the context. It runs again if another program changes the nodes."""
    store, runs = xen.store, 0
    with store.transaction() as t:
        t.write("/tool/script/n", "1")
        assert t.read("/tool/script/n") == "1"

    def add(t: Transaction) -> int:
        nonlocal runs
        runs += 1
        value = int(t.read("/tool/script/n"))
        if runs == 1:
            store.write("/tool/script/n", "10")
        t.write("/tool/script/n", str(value + 1))
        return value + 1

    assert (store.transact(add), store.read("/tool/script/n"), runs) == (11, "11", 2)

    def fail(t: Transaction) -> None:
        t.write("/tool/script/n", "0")
        raise LookupError("no")

    def interrupt(t: Transaction) -> None:
        t.write("/tool/script/n", "0")
        raise KeyboardInterrupt

    with pytest.raises(LookupError, match="no"):
        store.transact(fail)
    with pytest.raises(KeyboardInterrupt):
        store.transact(interrupt)
    assert store.read("/tool/script/n") == "11"
    with pytest.raises(ValueError, match="attempts"):
        store.transact(add, attempts=0)
    with pytest.raises(LookupError, match="no"), store.transaction() as t:
        fail(t)
    assert store.read("/tool/script/n") == "11"
    store.remove("/tool/script")


def test_every_method_of_xenstore_is_there() -> None:
    for ours, theirs in (Store, aioxen.store.Store), (Transaction, aioxen.transaction.Transaction):
        public = {name for name in vars(theirs) if name[0] != "_"}
        assert public == {name for name in vars(ours) if name[0] != "_"}
        for name in public:
            sync, core = inspect.signature(getattr(ours, name)), inspect.signature(getattr(theirs, name))
            assert sync.parameters.keys() == core.parameters.keys()
            assert "await" not in inspect.getdoc(getattr(ours, name))  # type: ignore[operator]
