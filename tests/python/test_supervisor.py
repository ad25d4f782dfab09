# SPDX-License-Identifier: LGPL-2.1-or-later
"""The supervisor carries out the action that a guest's configuration names for its end."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import aioxen
import pytest
from limits import scaled
from worldly import ROOT

pytestmark = pytest.mark.usefixtures("hypervisor", "nothing_left")

SUPERVISOR = [sys.executable, str(ROOT / "examples" / "supervisor.py")]
Supervise = Callable[[str, str], "subprocess.Popen[str]"]


@pytest.fixture
def supervise(kernel: Path, tmp_path: Path) -> Iterator[Supervise]:
    """Starts the supervisor of a tiny guest."""
    started: list[subprocess.Popen[str]] = []

    def start(command: str, settings: str) -> subprocess.Popen[str]:
        file = tmp_path / "guest.cfg"
        file.write_text(
            f'name="g"\ntype="pv"\nmemory=16\nkernel="{kernel}"\ncmdline="{command}"\n{settings}\n'
        )
        command_line = [*SUPERVISOR, "--dumps", str(tmp_path), str(file)]
        started.append(subprocess.Popen(command_line, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def lines_until(process: subprocess.Popen[str], words: str, count: int = 1) -> list[str]:
    """Returns the lines that the supervisor prints. Reads until `count` lines have contained `words`."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        count -= words in line
        if not count:
            return lines
    raise AssertionError("".join(lines))


async def destroy_all() -> list[str]:
    """Destroys all guests. Returns the names of the guests."""
    names = []
    async with aioxen.Context() as xen:
        for info in await xen.domain_list():
            if info.domid:
                names.append(await xen.domain_get_name(info.domid))
                await xen.domain_destroy(info.domid)
    return names


@pytest.mark.parametrize(("command", "setting", "left"), [("p", "", []), ("c", 'on_crash="preserve"', ["g"])])
def test_a_guest_is_destroyed_or_preserved(
    supervise: Supervise, command: str, setting: str, left: list[str]
) -> None:
    assert supervise(command, setting).wait(scaled(60)) == 0
    assert asyncio.run(destroy_all()) == left


def test_a_guest_is_created_anew_until_ctrl_c(supervise: Supervise) -> None:
    process = supervise("r", 'on_reboot="restart"')
    lines_until(process, "created anew", 2)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=scaled(60))
    assert process.returncode == 0
    assert asyncio.run(destroy_all()) == []


def test_a_crashed_guest_is_renamed_and_another_created(supervise: Supervise) -> None:
    process = supervise("c", 'on_crash="rename-restart"')
    lines = lines_until(process, "runs as domain", 2)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=scaled(60))
    first = next(line for line in lines if "runs as domain" in line).split()[-1]
    assert f"g-{first}" in asyncio.run(destroy_all())


def test_ctrl_c_asks_the_guest_to_stop(supervise: Supervise) -> None:
    process = supervise("l", "")
    lines_until(process, "runs as domain")
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=scaled(60))
    assert "asked to stop: poweroff" in output
    assert asyncio.run(destroy_all()) == []


def test_the_memory_of_a_crashed_guest_is_dumped(supervise: Supervise, tmp_path: Path, sim: object) -> None:
    """The test uses a PVH guest. A PV guest cannot be dumped here, because its kernel must publish a map
    of its memory."""
    process = supervise("c", 'type="pvh"\nmemory=24\non_crash="coredump-destroy"')
    lines_until(process, "its memory is in")
    assert process.wait(scaled(60)) == 0
    (dump,) = tmp_path.glob("*.core")
    assert dump.read_bytes()[:4] == b"\x7fELF"
    assert asyncio.run(destroy_all()) == []
