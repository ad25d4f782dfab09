# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compiles the event loops of docs/async.md verbatim and checks that each handles events of every kind."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BUILD = Path(os.environ.get("AIOXEN_TEST_BUILD") or os.environ.get("AIOXEN_BUILD", ROOT / "build"))
SECTION = (ROOT / "docs/async.md").read_text().split("\n## Loops\n")[1].split("\n## ")[0]
BLOCKS = re.findall(r"^```c\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
SANITIZERS = {"asan": "-fsanitize=address,undefined", "tsan": "-fsanitize=thread"}
# The file of each loop, by the name of the loop's function.
LOOPS = {
    name: block
    for block in BLOCKS
    for name in re.findall(r"^void (\w+)\(libxl_ctx \*ctx\)$", block, re.MULTILINE)
}

# The essential line of each loop, by the name of the loop's function. By this line the loop gets its events,
# or notices that it must end. The loop must fail without the line.
ESSENTIAL = {
    "own_thread": "handle(event);",
    "one_descriptor": "epoll_ctl(epoll, EPOLL_CTL_ADD, libxl_ctx_fd(ctx), &wanted);",
    "poll_set": "libxl_osevent_afterpoll(ctx, count, fds, now);",
    "event_library": "libxl_osevent_occurred_fd(hooked->ctx, hooked->for_libxl, fd, POLLIN, (short)ready);",
    "several_threads": "libxl_ctx_wake(ctx);",
}


def flags(*names: str) -> list[str]:
    return subprocess.run(["pkg-config", *names], check=True, capture_output=True, text=True).stdout.split()


def compiled(name: str, block: str, folder: Path) -> Path:
    (folder / "loop.c").write_text(block)
    glib = "g_unix_fd_add" in block
    command = ["cc", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-pthread"]
    command += [SANITIZERS[os.environ["AIOXEN_SANITIZER"]]] if "AIOXEN_SANITIZER" in os.environ else []
    command += [f'-DLOOP_FILE="{folder}/loop.c"', f"-DLOOP={name}"]
    command += ["-DLOOP_STARTS"] if "start(ctx)" in block else []
    command += ["-DLOOP_NEEDS_GLIB", *flags("--cflags", "glib-2.0")] if glib else []
    command += [f"-I{ROOT}/src/include", f"-I{BUILD}/gen/include", f"-o{folder / name}"]
    command += [f"{ROOT}/tests/c/support/loop_program.c", f"-L{BUILD}", "-laioxen", f"-Wl,-rpath,{BUILD}"]
    command += flags("--libs", "glib-2.0") if glib else []
    subprocess.run(command, check=True)
    return folder / name


def run(program: Path, seconds: float) -> "subprocess.CompletedProcess[str]":
    """Runs a program in a simulated machine of its own. When the machine ends, everything that the program
    leaves behind is removed."""
    environment = os.environ | {"AIOXEN_TEST_KERNEL": str(ROOT / "build/guest/tiny")}
    world = [ROOT / "sim/aioxen-sim", "--", program]
    return subprocess.run(world, env=environment, capture_output=True, text=True, timeout=seconds)


def test_the_document_has_these_loops() -> None:
    assert set(LOOPS) == set(ESSENTIAL)
    assert len(LOOPS) == len(BLOCKS)


@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_handles_every_event(name: str, tmp_path: Path) -> None:
    done = run(compiled(name, LOOPS[name], tmp_path), 30)
    assert (done.returncode, done.stdout) == (0, "60 events, 0 wrong\n"), done.stdout + done.stderr


@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_without_its_essential_line_does_not_end(name: str, tmp_path: Path) -> None:
    assert LOOPS[name].count(ESSENTIAL[name]) == 1
    program = compiled(name, LOOPS[name].replace(ESSENTIAL[name], "if (0) " + ESSENTIAL[name]), tmp_path)
    with pytest.raises(subprocess.TimeoutExpired):
        run(program, 1)
