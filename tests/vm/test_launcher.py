# SPDX-License-Identifier: LGPL-2.1-or-later
"""aioxen-vm runs a command in dom0 like a local command, and leaves nothing behind."""

import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from launching import LAUNCHER, LIMIT, PROJECT, Run


def test_output_streams_and_exit_status_pass_through(run: Run) -> None:
    done = run("--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 7)


def test_command_runs_in_dom0_of_a_real_xen(run: Run) -> None:
    done = run("xl", "list")
    assert done.returncode == 0
    assert "Domain-0" in done.stdout.splitlines()[1]


def test_status_names_the_signal_that_killed_the_command(run: Run) -> None:
    assert run("--", "sh", "-c", "kill -9 $$").returncode == 128 + signal.SIGKILL


def test_a_missing_command_has_status_127(run: Run) -> None:
    done = run("no-such-command")
    assert done.returncode == 127
    assert done.stderr == "aioxen-vm: no-such-command: No such file or directory\n"


def test_a_file_that_is_not_executable_has_status_126(run: Run) -> None:
    done = run("./vm/README.md")
    assert done.returncode == 126
    assert "./vm/README.md: Permission denied" in done.stderr


def test_output_comes_while_the_command_runs() -> None:
    with started("sh", "-c", "echo first; sleep 60") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"first\n"


def test_same_working_directory_inside_the_project(run: Run) -> None:
    assert run("pwd", cwd=PROJECT / "tests/vm").stdout == f"{PROJECT}/tests/vm\n"


def test_same_working_directory_outside_the_project(run: Run, tmp_path: Path) -> None:
    (tmp_path / "here").write_text("yes")
    assert run("cat", "here", cwd=tmp_path).stdout == "yes"


def test_files_written_in_dom0_are_visible_here(run: Run, tmp_path: Path) -> None:
    assert run("--", "sh", "-c", "seq 100000 >numbers", cwd=tmp_path).returncode == 0
    assert (tmp_path / "numbers").read_text().splitlines()[-1] == "100000"


def test_selected_variables_are_passed(run: Run) -> None:
    environment = os.environ | {
        "PYTHONPATH": "/some/where",
        "SECRET": "no",
        "WANTED": "yes",
        "PATH": f"{PROJECT}/build/bin:{os.environ['PATH']}",
    }
    done = run("--env", "WANTED", "--env", "GIVEN=a b", "env", env=environment)
    lines = done.stdout.splitlines()
    assert {"PYTHONPATH=/some/where", "WANTED=yes", "GIVEN=a b"} <= set(lines)
    assert not any(line.startswith("SECRET=") for line in lines)
    (path,) = (line for line in lines if line.startswith("PATH="))
    assert path.startswith(f"PATH={PROJECT}/build/bin:/usr/local/bin:")


def test_standard_input_passes_in_full(run: Run) -> None:
    text = "0123456789\n" * 300_000
    assert run("wc", "-c", input=text).stdout.split() == [str(len(text))]


def test_python_has_its_packages(run: Run) -> None:
    packages = "cffi, click, hypothesis, pytest, rich.progress, trio"
    assert run("/usr/bin/python3", "-c", f"import {packages}").returncode == 0


def test_each_machine_has_its_own_random_numbers_and_the_right_time(run: Run) -> None:
    script = "cat /proc/sys/kernel/random/uuid; date +%s"
    first, second = (run("--", "sh", "-c", script).stdout.split() for _ in range(2))
    assert first[0] != second[0]
    assert abs(int(second[1]) - time.time()) < 5


def test_two_machines_run_independently() -> None:
    script = "xenstore-write /who {0}; sleep 2; xenstore-read /who"
    processes = [
        subprocess.Popen([LAUNCHER, "--", "sh", "-c", script.format(name)], stdout=subprocess.PIPE, text=True)
        for name in ("one", "two")
    ]
    assert [process.communicate(timeout=LIMIT)[0] for process in processes] == ["one\n", "two\n"]


def test_time_limit_ends_the_command(run: Run) -> None:
    done = run("--timeout", "5", "--", "sh", "-c", "echo begun; sleep 60")
    assert (done.returncode, done.stdout) == (124, "begun\n")
    assert done.stderr == "aioxen-vm: time limit of 5 s reached\n"


def test_status_is_125_with_the_console_when_the_machine_dies(run: Run) -> None:
    done = run("--", "sh", "-c", "echo c >/proc/sysrq-trigger; sleep 60")
    assert done.returncode == 125
    assert "Hardware Dom0 crashed" in done.stderr


def test_a_missing_image_is_named(run: Run, tmp_path: Path) -> None:
    done = run("--image", str(tmp_path), "true")
    assert done.returncode == 125
    assert done.stderr == f"aioxen-vm: {tmp_path}/xen is missing: run `make vm`\n"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--timeout", "nan"),
        ("--timeout", "inf"),
        ("--timeout", "3e6"),
        ("--console", "/nowhere/console"),
        ("--env", "=value"),
        ("--env", ""),
    ],
)
def test_a_wrong_option_is_named(run: Run, option: str, value: str) -> None:
    done = run(option, value, "true")
    assert done.returncode == 2
    assert "Error: Invalid value for " in done.stderr
    assert option in done.stderr


CLEANS_UP = "trap 'echo cleaned; exit 3' INT TERM; echo ready; while :; do sleep 0.1; done"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_can_clean_up_after_a_signal(number: signal.Signals) -> None:
    with started("sh", "-c", CLEANS_UP) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert process.stdout.read() == b"cleaned\n"
        assert process.wait(LIMIT) == 3


def test_a_second_interrupt_ends_the_command_at_once() -> None:
    with started("sh", "-c", "trap '' INT; echo ready; sleep 60") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT) == 128 + signal.SIGINT
        assert time.monotonic() - begin < 5


def test_nothing_is_left_when_the_launcher_is_killed() -> None:
    with started("sh", "-c", "echo ready; sleep 60") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        (qemu,) = children(process.pid)
        process.kill()
        process.wait(LIMIT)
        deadline = time.monotonic() + 5
        while Path(f"/proc/{qemu}/exe").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not Path(f"/proc/{qemu}/exe").exists()


def test_a_terminal_here_is_a_terminal_there() -> None:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 111, 0, 0))
    script = "import os, sys; print(sys.stdout.isatty(), *os.get_terminal_size(), os.environ['TERM'])"
    command = [LAUNCHER, "/usr/bin/python3", "-c", script]
    environment = os.environ | {"TERM": "xterm-256color"}
    subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=slave, env=environment, timeout=LIMIT, check=True
    )
    output = os.read(master, 1000).decode()
    os.close(master)
    os.close(slave)
    assert output == "True 111 33 xterm-256color\r\n"


@contextmanager
def started(*command: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Starts the launcher. Kills it at the end of the with block."""
    process = subprocess.Popen([LAUNCHER, "--", *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
