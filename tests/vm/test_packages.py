# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests of tools/install-packages and tools/unpack-packages. They check the changes that these tools make
on a machine, and the things that the tools never change."""

import os
import subprocess
from pathlib import Path

import pytest
from launching import PROJECT

INSTALL = PROJECT / "tools/install-packages"
UNPACK = PROJECT / "tools/unpack-packages"
LISTS = PROJECT / "tools/packages"

Result = subprocess.CompletedProcess[str]


def names(list_name: str) -> list[str]:
    lines = (LISTS / f"{list_name}.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


class FakeMachine:
    """Replacements for dpkg-query, apt-get, apt-cache, id and sudo. A log records the calls of apt-get."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log = directory / "log"
        self.program("apt-cache", "exit 0")
        self.program("apt-get", f'echo "apt-get $*" >>{self.log}')
        self.program("sudo", "exit 1")
        self.user(0)

    def program(self, name: str, script: str) -> None:
        path = self.directory / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def user(self, number: int) -> None:
        self.program("id", f"echo {number}")

    def installed(self, packages: list[str]) -> None:
        lines = "".join(f"{package} installed\\n" for package in packages)
        self.program("dpkg-query", f"printf '{lines}'")

    def run(self, *arguments: str) -> Result:
        environment = os.environ | {"PATH": f"{self.directory}:/usr/bin:/bin"}
        return subprocess.run([INSTALL, *arguments], env=environment, text=True, capture_output=True)

    def done(self) -> str:
        return self.log.read_text() if self.log.exists() else ""


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path)


def test_nothing_missing_is_silent(machine: FakeMachine) -> None:
    machine.installed(names("build") + names("test"))
    done = machine.run()
    assert (done.returncode, done.stdout, done.stderr, machine.done()) == (0, "", "", "")


def test_only_missing_packages_are_installed_without_recommended_ones(machine: FakeMachine) -> None:
    machine.installed([name for name in names("build") if name != "gcc"])
    done = machine.run("build")
    assert (done.returncode, done.stderr) == (0, "install-packages: installing: gcc\n")
    assert machine.done().endswith("install -y --no-install-recommends gcc\n")


def test_unknown_packages_cause_an_update_first(machine: FakeMachine) -> None:
    machine.installed([])
    machine.program("apt-cache", "exit 100")
    assert machine.run("test").returncode == 0
    update, install = machine.done().splitlines()
    assert update.endswith(" update")
    assert " install " in install


def test_without_root_and_sudo_one_line_lists_the_packages(machine: FakeMachine) -> None:
    machine.installed([name for name in names("build") if name not in ("gcc", "make")])
    machine.user(1000)
    done = machine.run("build")
    assert (done.returncode, machine.done()) == (1, "")
    assert (
        done.stderr
        == "install-packages: neither root nor sudo without a password; please install: make gcc\n"
    )


def test_sudo_is_used_if_it_needs_no_password(machine: FakeMachine) -> None:
    machine.installed([name for name in names("build") if name != "gcc"])
    machine.user(1000)
    machine.program("sudo", f'echo "sudo $*" >>{machine.log}')
    assert machine.run("build").returncode == 0
    assert "sudo -n env DEBIAN_FRONTEND=noninteractive" in machine.done()


def test_an_unknown_list_is_named(machine: FakeMachine) -> None:
    done = machine.run("bulid")
    assert (done.returncode, done.stderr) == (2, "install-packages: no such list of packages: bulid\n")


def test_nothing_of_xen_is_ever_installed() -> None:
    installed = names("build") + names("test")
    # openssh-client is in lists of both kinds, because the tests use ssh on this machine and in dom0.
    assert set(installed) & {*names("unpack"), *names("unpack-simulator")} <= {"openssh-client"}
    assert [name for name in installed if "xen" in name] == ["libxen-dev"]
    assert not [name for name in installed if name.startswith(("linux-image", "grub"))]


USAGE = "usage: unpack-packages [--simulator | --headers | --libvirt] [--xen 4.17 | --xen 4.20] [DIR]\n"


def test_unpacked_packages_are_not_unpacked_again(tmp_path: Path) -> None:
    (tmp_path / "dom0").mkdir()
    (tmp_path / "dom0/.unpacked").write_text(
        "".join((LISTS / name).read_text() for name in ("unpack-simulator.txt", "unpack.txt"))
        .replace("-XEN", "-4.17")
        .replace("miscXEN", "misc4.17")
    )
    done = subprocess.run([UNPACK, tmp_path / "dom0"], text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in (tmp_path / "dom0").iterdir()] == [".unpacked"]


@pytest.mark.parametrize("given", [["--help"], ["one", "two"], ["--xen", "4.16"], ["--xen"]])
def test_unpacking_takes_a_folder_and_nothing_else(tmp_path: Path, given: list[str]) -> None:
    done = subprocess.run([UNPACK, *given], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, USAGE)
    assert list(tmp_path.iterdir()) == []
