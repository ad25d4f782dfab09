# SPDX-License-Identifier: LGPL-2.1-or-later
"""The event loops, the ways to run tasks, and the interpreters that the package supports or refuses."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import aioxen
import pytest
import uvloop
from aioxen import _core
from worldly import Configure

pytestmark = pytest.mark.usefixtures("hypervisor")

Main = Callable[[], Coroutine[Any, Any, None]]


def test_the_switch_selects_the_core() -> None:
    chosen = "aioxen._pure" if os.environ.get("AIOXEN_PURE") == "1" else "aioxen._live"
    assert _core.ContextCore.__module__ == chosen


def eager(main: Main) -> None:
    """Tasks begin to run when they are created (Python 3.12 and newer)."""

    async def in_eager_tasks() -> None:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined]
        await asyncio.create_task(main())

    asyncio.run(in_eager_tasks())


def in_uvloop(main: Main) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def in_uvloop_debugging(main: Main) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop, debug=True) as runner:
        runner.run(main())


def debugging(main: Main) -> None:
    asyncio.run(main(), debug=True)


in_uvloop(lambda: asyncio.sleep(0))  # uvloop opens a pipe that stays open until the process ends.
RUNNERS = [debugging, in_uvloop, in_uvloop_debugging, *([eager] if sys.version_info >= (3, 12) else [])]


@pytest.mark.parametrize("run", RUNNERS)
def test_lives_of_guests(run: Callable[[Main], None], guest: Configure) -> None:
    async def life(xen: aioxen.Context, n: int) -> list[str]:
        async with xen.domain_create(guest("l", name=f"life{n}")) as dom:
            events = xen.events(dom)
            await dom.unpause()
            assert await dom.shutdown() is aioxen.ShutdownReason.POWEROFF
        return [type(event).__name__ async for event in events]

    async def main() -> None:
        async with aioxen.Context() as xen:
            async with asyncio.TaskGroup() as group:
                lives = [group.create_task(life(xen, n)) for n in range(4)]
                infos = [group.create_task(xen.domain_get_info(0)) for _ in range(4)]
            seen = ["DomainShutdown", "DomainDying", "DomainGone"]
            assert [task.result() for task in lives] == [seen] * 4
            assert [task.result().domid for task in infos] == [0] * 4
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(xen.domain_wait_shutdown(0), 0.01)
            creation = asyncio.create_task(xen.domain_create(guest()))
            await asyncio.sleep(0.001)
            creation.cancel()
            with pytest.raises(asyncio.CancelledError):
                await creation
            assert [info.domid for info in await xen.domain_list()] == [0]

    run(main)


SUBINTERPRETER = """
    import sys
    import aioxen  # The main interpreter uses the package, too.
    try:
        import _interpreters
    except ImportError:
        import _xxsubinterpreters as _interpreters
    isolated = sys.argv[1] == "isolated"
    if sys.version_info >= (3, 13):
        made = _interpreters.create("isolated" if isolated else "legacy")
    else:
        made = _interpreters.create(isolated=isolated)
    code = '''if True:
        try:
            import aioxen
        except ImportError as error:
            print("ImportError:", error, flush=True)
        else:
            import asyncio

            async def main():
                async with aioxen.Context() as xen:
                    print(await xen.domain_get_name(0), aioxen._core.chosen.__name__, flush=True)

            asyncio.run(main())
    '''
    getattr(_interpreters, "run_string")(made, code)
    _interpreters.destroy(made)
"""


@pytest.mark.parametrize("kind", ["legacy", "isolated"])
def test_a_subinterpreter(kind: str) -> None:
    """The package works in a sub-interpreter that shares the main interpreter's lock. cffi refuses others,
    which exist in Python 3.12 and newer."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SUBINTERPRETER), kind], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    if kind == "isolated" and sys.version_info >= (3, 12):
        assert re.fullmatch(
            r"ImportError: module \S+ does not support loading in subinterpreters\n", done.stdout
        )
    else:
        assert done.stdout == "Domain-0 aioxen._pure\n"


def test_a_python_for_which_the_package_was_not_built(tmp_path: Path) -> None:
    """A build of Python without the stable ABI, such as a free-threaded one, does not find the C module."""
    package = Path(aioxen.__file__).parent
    shutil.copytree(package, tmp_path / "aioxen", ignore=shutil.ignore_patterns("*.so"))
    done = subprocess.run(
        [sys.executable, "-c", "import aioxen"],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert re.search(
        r"^ImportError: aioxen was not built for this Python: .*_native", done.stderr, re.MULTILINE
    )
