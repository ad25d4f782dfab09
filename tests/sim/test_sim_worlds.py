# SPDX-License-Identifier: LGPL-2.1-or-later
"""A simulated machine ("world") is isolated from the host. It passes on the output and the status of its
command, and leaves nothing behind."""

import os
import pty
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from limits import scaled
from sim_support import LAUNCHER, ROOT, World, WriteConfig, domains, finish, launch

PLACES = [
    "/run",
    "/var/lib",
    "/var/log",
    "/etc",
    "/var/lib/xen",
    "/run/xen",
    "/run/xenstored",
    "/tmp",
    "/dev/shm",
]


def eventually(condition: Callable[[], bool], limit_s: float = scaled(3)) -> bool:
    end = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def processes_under(pid: int) -> set[int]:
    """Returns all descendants of the process `pid`."""
    found: set[int] = set()
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, children.read_text().split()):
            found |= {child} | processes_under(child)
    return found


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def host_state() -> tuple[object, ...]:
    """Returns the parts of the host's state that a world could change. No other program changes these
    parts."""
    return (
        Path("/proc/self/mounts").read_text(),
        {
            place: sorted(name for name in os.listdir(place) if "xen" in place + name)
            for place in PLACES
            if os.path.isdir(place)
        },
    )


@pytest.mark.parametrize("status", [0, 1, 42, 125])
def test_passes_on_the_exit_status(world: World, status: int) -> None:
    world(f"exit {status}", status=status)


@pytest.mark.parametrize("name", ["TERM", "KILL", "SEGV"])
def test_a_signal_becomes_128_and_its_number(world: World, name: str) -> None:
    world(f"kill -{name} $$", status=128 + signal.Signals[f"SIG{name}"])


def test_passes_on_input_and_output() -> None:
    command = [str(LAUNCHER), "--", "sh", "-c", "cat; echo problem >&2"]
    result = subprocess.run(command, input="a\nb\n", capture_output=True, text=True, check=True)
    assert (result.stdout, result.stderr) == ("a\nb\n", "problem\n")


@pytest.mark.parametrize(
    ("command", "status", "says"),
    [("/nowhere/at-all", 127, "command not found"), ("/tmp", 126, "permission denied")],
)
def test_a_command_that_cannot_run(command: str, status: int, says: str) -> None:
    result = subprocess.run([LAUNCHER, "--", command], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (status, f"aioxen-sim: {command}: {says}\n")


def test_a_trace_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    trace = f"{tmp_path}/nowhere/trace"
    result = subprocess.run(
        [LAUNCHER, "--trace", trace, "--", "true"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert f"Invalid value for '--trace': {trace}: No such file or directory" in result.stderr


def test_message_names_the_target_that_builds_missing_tools(tmp_path: Path) -> None:
    env = os.environ | {"AIOXEN_BUILD": str(tmp_path)}
    result = subprocess.run([LAUNCHER, "--", "true"], env=env, capture_output=True, text=True, check=False)
    assert result.returncode == 125
    assert result.stderr.count("\n") == 1
    assert "make sim" in result.stderr


def test_a_path_may_have_a_space(tmp_path: Path) -> None:
    build = tmp_path / "a space"
    build.symlink_to(os.environ.get("AIOXEN_BUILD", ROOT / "build"))
    env = os.environ | {"AIOXEN_BUILD": str(build)}
    result = subprocess.run(
        [LAUNCHER, "--", "xl", "list"], env=env, capture_output=True, text=True, check=False
    )
    assert "Domain-0" in domains(result.stdout), result.stderr
    assert result.stderr == ""


def test_the_users_preloads_come_first(world: World) -> None:
    out = world("echo $LD_PRELOAD", LD_PRELOAD="libc.so.6").stdout
    assert out.startswith("libc.so.6:")
    assert out.endswith("libaioxen-sim.so\n")


def test_leaves_nothing_behind(world: World, config: WriteConfig) -> None:
    before = host_state()
    world(f"xl create -q {config('pv')}; echo x >/var/lib/xen/x; echo x >/run/x; echo x >/var/log/xen/x")
    assert host_state() == before


def test_killing_the_launcher_ends_everything(config: WriteConfig) -> None:
    before = host_state()
    process = launch(f"xl create -q {config('pvh', 'l')}; echo up; sleep 100")
    assert process.stdout
    assert process.stdout.readline() == "up\n"
    members = processes_under(process.pid)
    assert len(members) >= 5
    process.kill()
    assert eventually(lambda: not any(map(is_alive, members)))
    finish(process)
    assert host_state() == before


def test_terminating_lets_the_command_clean_up() -> None:
    process = launch("trap 'xl list; exit 7' TERM; echo up; while :; do sleep 0.01; done")
    assert process.stdout
    assert process.stdout.readline() == "up\n"
    process.terminate()
    result = finish(process)
    assert result.returncode == 7
    assert "Domain-0" in domains(result.stdout)


def test_the_interrupt_key_reaches_the_command_alone() -> None:
    """Ctrl-C is sent to the command only. xenstored continues to run while the command cleans up."""
    pid, terminal = pty.fork()
    if pid == 0:
        script = "trap 'xl list; exit 5' INT; echo up; while :; do sleep 0.01; done"
        os.execv(LAUNCHER, [str(LAUNCHER), "--", "sh", "-c", script])
    text = b""
    try:
        while chunk := os.read(terminal, 4096):
            text += chunk
            if text == b"up\r\n":
                os.write(terminal, b"\x03")
    except OSError:  # The other end of the terminal is closed.
        pass
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
    assert b"Domain-0" in text


def test_two_worlds_do_not_see_each_other(config: WriteConfig) -> None:
    script = "xl create -q {}; sleep 0.2; xl list; xenstore-list /local/domain"
    worlds = [launch(script.format(config("pvh", name=name))) for name in ("left", "right")]
    for world, name in zip(worlds, ("left", "right"), strict=True):
        result = finish(world)
        found = domains(result.stdout)
        assert found.keys() == {"Domain-0", name}
        assert found[name][0] == 1


def test_a_world_inside_a_world(world: World) -> None:
    out = world(f"xl list | wc -l; '{LAUNCHER}' -- xl list | wc -l")
    assert out.stdout.split() == ["2", "2"]


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to become another user")
def test_root_is_not_needed() -> None:
    """The test runs the simulator as another user. This user may be unable to read the tree, so the tree
    is mounted under /mnt."""
    nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups"
    script = f'mount --bind "$0" /mnt && exec {nobody} /mnt/sim/aioxen-sim -- xl list'
    command = ["unshare", "--mount", "sh", "-c", script, str(ROOT)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Domain-0" in domains(result.stdout), result.stderr
