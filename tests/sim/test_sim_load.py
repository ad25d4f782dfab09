# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many domains and threads, also under sanitizers and valgrind."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sim_support import World

SOURCE = Path(__file__).with_name("hammer.c")
LIBRARIES = ["xenctrl", "xenguest", "xenstore", "xenevtchn", "xenforeignmemory"]

Compile = Callable[..., Path]


@pytest.fixture(scope="module")
def hammer(tmp_path_factory: pytest.TempPathFactory) -> Compile:
    """Compiles hammer.c with additional options."""

    def build(*options: str) -> Path:
        program = tmp_path_factory.mktemp("hammer") / "hammer"
        libraries = [f"-l{name}" for name in LIBRARIES]
        command = [
            "cc",
            "-std=gnu11",
            "-g",
            "-O1",
            "-Wall",
            "-Wextra",
            *options,
            "-o",
            str(program),
            str(SOURCE),
        ]
        subprocess.run([*command, *libraries], check=True)
        return program

    return build


def test_ten_thousand_domains_are_alive_at_once(world: World, hammer: Compile) -> None:
    world(f"{hammer()} live 10000")


def test_domids_and_memory_are_used_again(world: World, hammer: Compile) -> None:
    program = hammer()
    world(f"for i in 1 2 3 4; do {program} live 9000; done", "--memory", "400")


def test_threads_do_not_disturb_each_other(world: World, hammer: Compile) -> None:
    world(f"{hammer()} threads 8 50")


def test_processes_do_not_disturb_each_other(world: World, hammer: Compile) -> None:
    program = hammer()
    script = f"""
        for i in 1 2 3 4; do {program} threads 2 30 shared & jobs="$jobs $!"; done
        for job in $jobs; do wait $job; done; {program} live 10"""
    world(script)


@pytest.mark.parametrize("kind", ["thread", "address", "undefined"])
def test_sanitizers_find_nothing(world: World, hammer: Compile, kind: str) -> None:
    program = hammer(f"-fsanitize={kind}", "-fno-sanitize-recover=all")
    runtime = {"address": "libasan.so", "thread": "libtsan.so", "undefined": "libubsan.so"}[kind]
    path = subprocess.run(
        ["cc", f"-print-file-name={runtime}"], check=True, capture_output=True, text=True
    ).stdout.strip()
    result = world(f"LD_PRELOAD={path}:$LD_PRELOAD {program} threads 4 20")
    assert result.stderr == ""


def test_valgrind_finds_nothing(world: World, hammer: Compile) -> None:
    world(f"valgrind -q --error-exitcode=9 --leak-check=full {hammer()} threads 2 3")
