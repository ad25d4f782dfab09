# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests of those parts of the virtual machine's tools that need no machine."""

import random
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from launching import PROJECT

sys.path.insert(0, str(PROJECT / "vm"))

from aioxen_vm import accel, machine
from aioxen_vm.console import LINES, Console
from aioxen_vm.frames import Kind, Reader, pack
from image import dom0, packages
from image.archive import Archive
from image.kernel import Modules, uncompressed


@given(st.lists(st.tuples(st.sampled_from(Kind), st.binary(max_size=300))), st.randoms(use_true_random=False))
def test_frames_are_assembled_from_any_pieces(
    frames: list[tuple[Kind, bytes]], chance: random.Random
) -> None:
    stream = b"".join(pack(kind, data) for kind, data in frames)
    reader, received = Reader(), []
    while stream:
        size = chance.randint(1, 100)
        piece, stream = stream[:size], stream[size:]
        received += list(reader.feed(piece))
    assert received == frames


def test_console_keeps_the_last_lines() -> None:
    console = Console()
    for number in range(LINES + 10):
        console.add(b"line ")
        console.add(b"%d\r\n" % number)
    assert console.text().splitlines()[-1] == f"line {LINES + 9}"
    # The text also has the last line, which is unfinished.
    assert len(console.text().splitlines()) == LINES - 1


def test_the_probe_for_kvm_sees_instructions_carried_out() -> None:
    assert accel.runs_code("tcg")
    assert not accel.runs_code("no-such-accelerator")


def test_what_was_found_about_kvm_is_remembered_until_the_next_boot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "accel"
    monkeypatch.setattr(accel, "kvm_works", lambda: True)
    assert accel.choose(cache) == "kvm"
    monkeypatch.setattr(accel, "kvm_works", lambda: False)
    assert accel.choose(cache) == "kvm"
    cache.write_text("another-boot kvm\n")
    assert accel.choose(cache) == "tcg"


def members(archive: bytes) -> dict[str, tuple[int, bytes]]:
    """Returns the mode and the content of each member of a cpio archive, parsed according to the
    format's definition."""
    found: dict[str, tuple[int, bytes]] = {}
    offset = 0
    while True:
        assert archive[offset : offset + 6] == b"070701"
        fields = [int(archive[offset + 6 + 8 * i : offset + 14 + 8 * i], 16) for i in range(13)]
        start = offset + 110
        name = archive[start : start + fields[11] - 1].decode()
        data = (start + fields[11] + 3) & ~3
        if name == "TRAILER!!!":
            return found
        found[name] = (fields[1], archive[data : data + fields[6]])
        offset = (data + fields[6] + 3) & ~3


def test_archive_holds_what_was_put_in_with_usr_merged(tmp_path: Path) -> None:
    archive = Archive()
    archive.text("/bin/hello", "#!\n", 0o755)
    archive.symlink("/sbin/x", "hello")
    archive.node("/dev/console", 5, 1)
    archive.write(tmp_path / "out")
    found = members((tmp_path / "out").read_bytes())
    assert found["usr/bin/hello"] == (stat.S_IFREG | 0o755, b"#!\n")
    assert found["bin"] == (stat.S_IFLNK | 0o777, b"usr/bin")
    assert found["usr/sbin/x"] == (stat.S_IFLNK | 0o777, b"hello")
    assert stat.S_ISCHR(found["dev/console"][0])
    names = list(found)
    assert names.index("dev") < names.index("dev/console")
    assert "/usr/bin/hello" in archive


def test_a_later_entry_replaces_an_earlier_one(tmp_path: Path) -> None:
    archive = Archive()
    archive.symlink("/bin/xl", "busybox")
    archive.text("/usr/bin/xl", "real")
    archive.write(tmp_path / "out")
    assert members((tmp_path / "out").read_bytes())["usr/bin/xl"] == (stat.S_IFREG | 0o644, b"real")


@pytest.fixture
def modules(tmp_path: Path) -> Modules:
    for name, depends in {"a-b": "c,d", "c": "d", "d": "", "e": "missing"}.items():
        (tmp_path / f"{name}.ko").write_bytes(b"\x7fELF\0license=GPL\0depends=" + depends.encode() + b"\0")
    (tmp_path / "modules.builtin").write_text("kernel/fs/ext4.ko\n")
    return Modules(tmp_path)


def test_modules_come_after_what_they_depend_on(modules: Modules) -> None:
    assert [path.stem for path in modules.in_load_order(["a_b", "ext4", "d"])] == ["d", "c", "a-b"]


def test_a_missing_module_is_named(modules: Modules) -> None:
    with pytest.raises(ValueError, match="no module missing"):
        list(modules.in_load_order(["e"]))


def test_a_file_that_is_no_kernel_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vmlinuz").write_bytes(b"not a kernel" * 100)
    with pytest.raises(ValueError, match="no compressed kernel inside"):
        uncompressed(tmp_path / "vmlinuz")


# A list of packages as on Debian 13. It has another version of Python than Debian 12, and a virtual package.
INSTALLED = """\
python3\tinstalled\tpython3-profiler\t, python3.13 (>= 3.13.5~), libpython3-stdlib (= 3.13.5-1)
python3.13\tinstalled\t\t, python3.13-minimal (= 3.13.5-2), media-types
python3.13-minimal\tinstalled\t\tlibc6 (>= 2.41), libexpat1
libpython3-stdlib\tinstalled\t\t, libc6
python3-click\tinstalled\t\t, python3-missing | python3-lex-3.10 | python3-other, python3:any
python3-ply\tinstalled\tpython3-lex-3.10, python3-yacc-3.10\t, python3:any
python3-old\tconfig-files\t\t,
libc6\tinstalled\t\t,
"""


def test_dependencies_are_looked_up_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 0, INSTALLED)
    )
    prefixes = ("python3", "libpython3")
    assert packages.with_dependencies(["python3-click"], prefixes) == [
        *["libpython3-stdlib", "python3", "python3-click", "python3-ply", "python3.13", "python3.13-minimal"]
    ]
    with pytest.raises(ValueError, match=r"^not installed: python3-old$"):
        packages.with_dependencies(["python3", "python3-old"], prefixes)


@pytest.mark.parametrize("folder", ["vm", "tools", "sim"])
def test_no_version_of_python_is_assumed(folder: str) -> None:
    for path in (PROJECT / folder).rglob("*"):
        if path.is_file() and path.suffix != ".pyc":
            assert not re.search(r"python3\.\d|cpython-3", path.read_text()), path


@pytest.mark.parametrize("release", ["bookworm", "trixie"])
def test_the_description_of_a_terminal_is_found(release: str, tmp_path: Path) -> None:
    """Debian 13 has the descriptions in another directory than Debian 12."""
    directories = [tmp_path / "bookworm", tmp_path / "trixie"]
    path = tmp_path / release / "v/vt100"
    with pytest.raises(ValueError, match="no description of the terminal v/vt100"):
        dom0.terminal("v/vt100", directories)
    path.parent.mkdir(parents=True)
    path.touch()
    assert dom0.terminal("v/vt100", directories) == path


@pytest.mark.parametrize(
    ("version", "model"),
    [
        ("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)", "max"),
        ("QEMU emulator version 10.0.13 (Debian 1:10.0.13+ds-0+deb13u1)", "EPYC"),
        ("", "max"),
    ],
)
def test_the_processor_depends_on_qemus_release(version: str, model: str) -> None:
    assert machine.processor("tcg", version).split(",")[0] == model
    assert machine.processor("kvm", version) == "host"
