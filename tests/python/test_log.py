# SPDX-License-Identifier: LGPL-2.1-or-later
"""The library's log messages reach Python's logger "aioxen"."""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator

import aioxen
import aioxen.log
import pytest
from aioxen._native import lib
from worldly import Configure


class Keeping(logging.Handler):
    """Keeps the records, and the threads that delivered them."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self.threads: set[int] = set()

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self.threads.add(threading.get_ident())

    def texts(self, level: int = logging.DEBUG) -> list[str]:
        return [record.getMessage() for record in self.records if record.levelno >= level]


@pytest.fixture
def keeping() -> Iterator[Keeping]:
    """Keeps all records of the logger aioxen, at DEBUG."""
    handler = Keeping()
    aioxen.log.logger.addHandler(handler)
    aioxen.log.logger.setLevel(logging.DEBUG)
    yield handler
    aioxen.log.logger.removeHandler(handler)
    aioxen.log.logger.setLevel(logging.NOTSET)


async def test_records_have_the_operation_and_the_domid(
    hypervisor: None, guest: Configure, keeping: Keeping
) -> None:
    before = time.time()
    async with aioxen.Context() as xen:
        dom = await xen.domain_create(guest())
        await dom.destroy()
        with pytest.raises(aioxen.DomainNotFoundError):
            await xen.domain_shutdown(31_999)
    failures = [record for record in keeping.records if record.levelno == logging.ERROR]
    assert [(r.operation, r.domid, r.source, r.errno) for r in failures] == [  # type: ignore[attr-defined]
        ("domain_shutdown", 31_999, "libxl", None)
    ]
    assert "31999" in failures[0].getMessage()
    phases = [r for r in keeping.records if r.getMessage() == "domain_create_new: phase console"]
    assert [(r.operation, r.domid, r.levelno) for r in phases] == [  # type: ignore[attr-defined]
        ("domain_create", dom.domid, logging.DEBUG)
    ]
    assert keeping.threads == {threading.get_ident()}
    times = [before, *(record.created for record in keeping.records), time.time()]
    assert all(a <= b + 1e-4 for a, b in itertools.pairwise(times))
    assert {record.name for record in keeping.records} == {"aioxen"}


async def test_the_domain_builders_messages(hypervisor: None, guest: Configure, keeping: Keeping) -> None:
    """Workers log, too."""
    config = guest()
    config.b_info.kernel = __file__
    async with aioxen.Context() as xen:
        with pytest.raises(aioxen.KernelError):
            await xen.domain_create(config)
    built = [record for record in keeping.records if record.source != "libxl"]  # type: ignore[attr-defined]
    assert any(record.levelno == logging.ERROR for record in built)
    assert {record.operation for record in built} == {"domain_create"}  # type: ignore[attr-defined]


async def test_nothing_is_kept_without_a_handler(hypervisor: None) -> None:
    async with aioxen.Context() as xen:
        handlers, logging.root.handlers = logging.root.handlers, []
        try:
            xen._log.update_level()
            for _ in range(3):
                xen.domain_pause(31_999).exception()
            assert aioxen.log.lowest_level() == aioxen.log.NOTHING
        finally:
            logging.root.handlers = handlers
        assert not lib.libxl_log_queue_take(xen._log._c)


async def test_the_level_is_the_programs(hypervisor: None, keeping: Keeping) -> None:
    async with aioxen.Context() as xen:
        keeping.setLevel(logging.DEBUG)
        for level, wanted in ((logging.CRITICAL, 0), (logging.WARNING, 1), (logging.ERROR, 1)):
            aioxen.log.logger.setLevel(level)
            aioxen.log.refresh()
            keeping.records.clear()
            xen.domain_pause(31_999).exception()
            await asyncio.sleep(0.01)
            assert len(keeping.records) == wanted


async def test_dropped_messages_are_counted(
    hypervisor: None, keeping: Keeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aioxen.log, "CAPACITY", 10)
    async with aioxen.Context() as xen:
        for _ in range(25):
            xen.domain_pause(31_999).exception()
        await asyncio.sleep(0.01)
        assert len(keeping.texts(logging.ERROR)) == 10
        assert keeping.texts()[-1] == "15 log messages were dropped, because the queue was full"
        xen.domain_pause(31_999).exception()
    assert len(keeping.texts(logging.ERROR)) == 11


async def test_the_delivery_is_done_in_turns(hypervisor: None, keeping: Keeping) -> None:
    """A thousand messages do not hold the loop, although each takes a millisecond."""

    class Slow(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            time.sleep(0.001)

    slow = Slow()
    aioxen.log.logger.addHandler(slow)
    try:
        async with aioxen.Context() as xen:
            for _ in range(200):
                xen.domain_pause(31_999).exception()
            turns = 0
            while len(keeping.texts(logging.ERROR)) < 200:
                await asyncio.sleep(0)
                turns += 1
            assert turns >= 50
    finally:
        aioxen.log.logger.removeHandler(slow)


def test_no_message_is_lost_at_the_end(hypervisor: None, keeping: Keeping) -> None:
    async def leave(close: bool) -> None:
        xen = aioxen.Context()
        for _ in range(100):
            xen.domain_pause(31_999).exception()
        if close:
            await xen.aclose()

    asyncio.run(leave(True))
    assert len(keeping.texts(logging.ERROR)) == 100
    keeping.records.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        asyncio.run(leave(False))
        gc.collect()
    assert len(keeping.texts(logging.ERROR)) == 100


async def test_a_filter_that_fails_loses_one_message(
    hypervisor: None, keeping: Keeping, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(record: logging.LogRecord) -> bool:
        raise ZeroDivisionError

    async with aioxen.Context() as xen:
        aioxen.log.logger.addFilter(fail)
        xen.domain_pause(31_999).exception()
        await asyncio.sleep(0.01)
        aioxen.log.logger.removeFilter(fail)
        xen.domain_pause(31_998).exception()
    assert "ZeroDivisionError" in capfd.readouterr().err
    assert len(keeping.texts(logging.ERROR)) == 1


async def test_a_fork_closes_the_queue(
    hypervisor: None, keeping: Keeping, nothing_left: Callable[..., None]
) -> None:
    async with aioxen.Context() as xen:
        xen.domain_pause(31_999).exception()
        fd = xen._log.fd
        child = os.fork()
        if not child:
            try:
                os.fstat(fd)
            except OSError:
                os._exit(0 if xen.closed and not xen._log.deliver() else 2)
            os._exit(1)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
    assert len(keeping.texts(logging.ERROR)) == 1
