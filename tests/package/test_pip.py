# SPDX-License-Identifier: LGPL-2.1-or-later
"""The source archive is complete. The wheel that is built from it contains the C library and the simulator.
It works in an empty virtual environment."""

from __future__ import annotations

import re
import shutil
import zipfile
from email import message_from_string
from pathlib import Path

from package_support import BUILD, PYTHON, ROOT, output, run


def test_the_archive_has_every_file_of_the_tree(archive: Path) -> None:
    listed = output("git", "ls-files", "-co", "--exclude-standard").splitlines()
    wanted = {name for name in listed if (ROOT / name).is_file() and not name.startswith((".ci/", ".git"))}
    assert {name for name in wanted if not (archive / name).is_file()} == set()
    assert not (archive / "aioxen.egg-info").exists()


def test_the_description_has_no_link_into_the_tree(archive: Path) -> None:
    metadata = message_from_string((archive / "PKG-INFO").read_text())
    text = metadata.get_payload()
    assert isinstance(text, str)
    assert text.lstrip().startswith("# aioxen\n")
    assert re.findall(r"\]\((?!https?://)[^)]*\)", text) == []
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert {"cli", "fleet", "metrics", "trace", "trio", "test"} == set(metadata.get_all("Provides-Extra", []))


def test_every_module_and_program_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as made:
        names = set(made.namelist())
        executable = {i.filename for i in made.infolist() if i.external_attr >> 16 & 0o111}
    own = {path.relative_to(ROOT / "bindings/python") for path in ROOT.glob("bindings/python/aioxen/**/*.py")}
    own |= {path.relative_to(BUILD / "gen/python") for path in BUILD.glob("gen/python/aioxen/*")}
    own |= {path.relative_to(ROOT / "sim") for path in ROOT.glob("sim/aioxen_sim/*.py")}
    assert own
    assert {str(path) for path in own} <= names
    assert "aioxen/libaioxen-python.so" in names
    programs = {f"aioxen_sim/programs/{name}" for name in ("aioxen-sim-ctl", "aioxen-sim-guests", "tiny")}
    assert programs | {"aioxen_sim/scripts/block", "aioxen_sim/tools/unpack-packages"} <= executable


ASK = """
import asyncio, aioxen
async def main():
    async with aioxen.Context() as xen:
        print(*(info.domid for info in await xen.domain_list()))
asyncio.run(main())
mapped = {line.split(None, 5)[5] for line in open("/proc/self/maps") if "libaioxen" in line}
print(*sorted(mapped), sep="", end="")
"""


def test_the_package_finds_its_own_library(environment: Path, cache: dict[str, str], tmp_path: Path) -> None:
    """The package uses its own library even if the dynamic linker would find an installed library of another
    version first."""
    output(
        "gcc", "-shared", "-o", tmp_path / "libaioxen.so.2", "-Wl,-soname,libaioxen.so.2", "-xc", "/dev/null"
    )
    inside = environment / "bin/aioxen-sim", "--", environment / "bin/python", "-c", ASK
    done = run(*inside, folder=tmp_path, LD_LIBRARY_PATH=str(tmp_path), **cache)
    assert done.returncode == 0, done.stderr
    domains, *libraries = done.stdout.splitlines()
    assert domains == "0"
    own = str(environment / "lib")
    assert [path for path in libraries if not path.startswith((own, "/run/aioxen-sim/"))] == []
    assert [Path(path).name for path in libraries if path.startswith(own)] != []


def test_a_missing_dom0_is_told(environment: Path, tmp_path: Path) -> None:
    done = run(environment / "bin/aioxen-sim", "--", "true", folder=tmp_path, XDG_CACHE_HOME=str(tmp_path))
    assert done.returncode == 125
    assert done.stderr == (
        f"aioxen-sim: the programs of a Xen dom0 are not in {tmp_path}/aioxen/dom0-4.17: "
        "run `aioxen-sim --download` once\n"
    )


def test_a_missing_package_is_told_before_anything_is_built(archive: Path, tmp_path: Path) -> None:
    shutil.copytree(archive, tmp_path / "tree", ignore=shutil.ignore_patterns("build"))
    done = run(PYTHON, "setup.py", "-q", "build", folder=tmp_path / "tree", PKG_CONFIG_LIBDIR="/nowhere")
    names = "libxen-dev libjson-c-dev libmnl-dev libzstd-dev zlib1g-dev"
    assert done.returncode == 1
    assert done.stderr == f"aioxen cannot be built on this machine without {names}: apt install {names}\n"
    assert not (tmp_path / "tree/build").exists()


def test_an_editable_installation_says_how_to_work_in_the_tree(archive: Path) -> None:
    done = run(PYTHON, "setup.py", "-q", "editable_wheel", folder=archive)
    assert done.returncode == 1
    assert "PYTHONPATH=build/python" in done.stderr.splitlines()[-1]


def test_an_extension_cannot_use_the_private_library(environment: Path) -> None:
    script = "import aioxen._extend as e; e.register({}, {}, 'error')"
    done = run(environment / "bin/python", "-c", script, folder=environment)
    assert done.returncode == 1
    assert "AIOXEN_LIBRARY=installed pip install" in done.stderr.splitlines()[-1]
