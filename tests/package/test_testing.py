# SPDX-License-Identifier: LGPL-2.1-or-later
"""The pytest plugin of the installed package serves a project that uses aioxen."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from package_support import ROOT, run


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "tests/package/downstream", tmp_path / "project"))


def test_a_project_tests_itself(environment: Path, cache: dict[str, str], project: Path) -> None:
    done = run(environment / "bin/python", "-m", "pytest", "-q", folder=project, **cache)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("10 passed, 1 skipped")


def test_faults_are_those_of_the_marker(environment: Path, cache: dict[str, str], project: Path) -> None:
    """Without the marker the same test fails."""
    tests = project / "tests/test_quiet_hours.py"
    without = tests.read_text().replace(
        '@pytest.mark.xen_fault("domctl.pausedomain", nth=3, error="EBUSY")\n', ""
    )
    assert without != tests.read_text()
    tests.write_text(without)
    done = run(environment / "bin/python", "-m", "pytest", "-q", folder=project, **cache)
    assert done.returncode == 1
    assert "FAILED tests/test_quiet_hours.py::test_all_guests_run_if_one_cannot_be_paused" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("1 failed, 9 passed, 1 skipped")


def test_the_option_is_named_where_it_is_missing(environment: Path, project: Path) -> None:
    options = ["-q", "-o", "addopts=", "-k", "finds_no_guest"]
    done = run(environment / "bin/python", "-m", "pytest", *options, folder=project)
    assert done.returncode == 1
    assert "xen_sim needs a simulated machine: pytest --xen-sim, also in addopts" in done.stdout


def test_a_machine_without_the_programs_of_a_dom0_is_told(environment: Path, project: Path) -> None:
    done = run(environment / "bin/python", "-m", "pytest", folder=project, XDG_CACHE_HOME=str(project))
    assert done.returncode == 125
    assert done.stderr.endswith("run `aioxen-sim --download` once\n")


def test_the_virtual_machine_gets_the_same_command(environment: Path, project: Path, tmp_path: Path) -> None:
    """The launcher is a script that prints its arguments."""
    launcher = tmp_path / "aioxen-vm"
    launcher.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    launcher.chmod(0o755)
    python = environment / "bin/python"
    command = ["-m", "pytest", "-o", "addopts=", "--xen-vm", "-k", "only on"]
    done = run(python, *command, folder=project, PATH=f"{tmp_path}:/usr/bin:/bin")
    assert done.stdout.splitlines() == ["--", str(python), *command]
    done = run(python, *command, folder=project, PATH="/usr/bin:/bin")
    assert done.returncode == 4
    assert "--xen-vm needs aioxen-vm in PATH" in done.stderr
