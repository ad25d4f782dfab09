# SPDX-License-Identifier: LGPL-2.1-or-later
"""dom0's root: busybox, Xen's toolstack, and Python with the packages that programs and tests use.

Xen and the kernel come from the packages unpacked in build/dom0, which must not be installed on a machine.
Python comes from the packages installed on this machine, so that extensions built here can be loaded there.
The image contains no files that the project builds, because dom0 mounts the project's tree.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from . import packages, qemu
from .archive import Archive
from .kernel import Modules


def _words(text: str) -> list[str]:
    return text.split()


MODULES = _words("""
    xen-evtchn xen-privcmd xenfs xen-gntdev xen-gntalloc
    virtio_pci virtio_console virtio_net virtio_blk 9pnet_virtio 9p
    loop ext4 crc32c_generic bridge xen-blkback xen-netback
""")
# The modules that dom0 loads if the machine has devices for guests (`aioxen-vm --passthrough`).
PASSTHROUGH_MODULES = _words("xen-pciback e1000e xhci-pci usb-storage")

XEN_PROGRAMS = _words("""
    xl libxl-save-helper xenstored xenstore-control xenconsoled xenconsole xen-init-dom0
    lsevtchn xenctx xenpm xen-hvmctx
""")

# The programs that the hotplug scripts and the tests need. The programs of the same names in busybox lack
# some options that the scripts use.
TOOLS = _words("ip bridge losetup flock stat mke2fs")
# The links to these programs. The name of a link selects the file system.
TOOL_LINKS = {"/usr/sbin/mkfs.ext4": "mke2fs"}

# The packages that dom0's Python consists of. Their dependencies are looked up, because the dependencies'
# names depend on the release of Debian.
PYTHON_PACKAGES = _words("""
    python3 python3-cffi python3-click python3-hypothesis python3-pytest python3-rich python3-trio
""")
PYTHON_NAMES = ("python3", "libpython3")  # The prefixes of the dependencies that are added.

UNUSED = re.compile(r"/(lib2to3|pydoc_data|ensurepip|idlelib|turtledemo|config-3[^/]*)/|/usr/share/")

LIBRARY_DIRECTORY = "/usr/lib/x86_64-linux-gnu"
# The libraries that the image needs and ldd does not report. libxenstore loads libgcc_s to cancel a thread.
# libaioxen in the mounted tree needs json-c and libmnl.
OTHER_LIBRARIES = [
    Path(LIBRARY_DIRECTORY) / name for name in ("libgcc_s.so.1", "libjson-c.so.5", "libmnl.so.0")
]

# The directories with the descriptions of terminals: the first on Debian 12, the second on Debian 13.
TERMINALS = [Path("/usr/lib/terminfo"), Path("/usr/share/terminfo")]

DIRECTORIES = _words(
    "/proc /sys /dev /run /root /mnt /usr/local/bin /var/lib/xen /var/lib/xenstored /var/log/xen"
)


def busybox(archive: Archive, unpacked: Path, without: Iterable[str] = ()) -> None:
    """Adds busybox and a link for each of its applets, except for the names in `without`."""
    program = unpacked / "bin/busybox"
    archive.file("/bin/busybox", program)
    listing = subprocess.run([program, "--list-full"], check=True, text=True, capture_output=True).stdout
    for applet in listing.split():
        if applet != "bin/busybox" and Path(applet).name not in without:
            archive.symlink(f"/{applet}", "/bin/busybox")


def root(unpacked: Path, scripts: Path) -> Archive:
    """Returns dom0's root. `unpacked` has the unpacked packages, `scripts` has init and the agent."""
    archive = Archive()
    busybox(archive, unpacked, TOOLS)
    directories(archive)
    archive.node("/dev/console", 5, 1)
    archive.text("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
    archive.text("/etc/group", "root:x:0:\n")
    archive.text("/etc/hosts", "127.0.0.1 localhost dom0\n")

    modules(archive, unpacked, MODULES)
    modules(archive, unpacked, PASSTHROUGH_MODULES, "passthrough")
    python = packages.with_dependencies(PYTHON_PACKAGES, PYTHON_NAMES)
    toolstack(archive, unpacked, [*_pygrub(archive, unpacked), *_installed(archive, python)])

    archive.file("/init", scripts / "init", 0o755)
    archive.file("/usr/bin/make-bridge", scripts / "make-bridge", 0o755)
    for name in qemu.PROGRAMS:
        archive.file(f"/{name}", scripts / "run-qemu", 0o755)
    for path, name in qemu.LINKS.items():
        archive.symlink(path, f"/run/image/qemu/{qemu.SHARE}/{name}")
    archive.file("/agent/agent.py", scripts / "agent.py")
    archive.file("/agent/frames.py", scripts.parent / "aioxen_vm/frames.py")
    return archive


def directories(archive: Archive) -> None:
    for path in DIRECTORIES:
        archive.directory(path)
    archive.directory("/tmp", 0o1777)
    archive.symlink("/var/run", "/run")
    archive.symlink("/var/lock", "/run/lock")


def toolstack(archive: Archive, unpacked: Path, others: Iterable[Path] = ()) -> None:
    """Adds Xen's programs, and the programs that Xen's scripts run. Also adds the libraries of these
    programs and of `others`."""
    programs = [*_xen(archive, unpacked), *_tools(archive), *_installed(archive, ["bash"]), *others]
    _libraries(archive, [*programs, *OTHER_LIBRARIES], unpacked)


def modules(archive: Archive, unpacked: Path, names: Iterable[str], listing: str = "order") -> None:
    """Adds kernel modules with their dependencies. Also adds the file /lib/modules/LISTING, which lists the
    modules in the order in which they load."""
    (directory,) = (unpacked / "lib/modules").iterdir()
    order = list(Modules(directory).in_load_order(names))
    for path in order:
        archive.file(f"/lib/modules/{path.name}", path)
    archive.text(f"/lib/modules/{listing}", "".join(f"{path.name}\n" for path in order))


def _xen(archive: Archive, unpacked: Path) -> list[Path]:
    """Adds Xen's programs. Debian's wrapper scripts are left out, because they look up Xen's version at each
    call."""
    (directory,) = (unpacked / "usr/lib").glob("xen-4.*")
    place = f"/usr/lib/{directory.name}/bin"
    programs = []
    for name in XEN_PROGRAMS:
        programs.append(directory / "bin" / name)
        archive.file(f"{place}/{name}", programs[-1])
        archive.symlink(f"/usr/sbin/{name}", f"{place}/{name}")
    for path in (unpacked / "usr/bin").glob("xenstore-*"):
        programs.append(path)
        archive.file(f"/usr/bin/{path.name}", path)
    for path in (unpacked / "etc/xen/scripts").iterdir():
        archive.file(f"/etc/xen/scripts/{path.name}", path)
    archive.text("/etc/xen/xl.conf", "")
    archive.text("/etc/xen-bin", place + "\n")
    return programs


def _pygrub(archive: Archive, unpacked: Path) -> list[Path]:
    """Adds the boot loader pygrub. A part of pygrub is compiled for the Python of Debian 12, and works
    with no other Python."""
    (directory,) = (unpacked / "usr/lib").glob("xen-4.*")
    archive.file(f"/usr/lib/{directory.name}/bin/pygrub", directory / "bin/pygrub")
    compiled = []
    for path in (directory / "lib").rglob("*"):
        if path.is_file():
            archive.file(f"/{path.relative_to(unpacked)}", path.resolve())
            if _is_elf(path):
                compiled.append(path)
    for name in ("v/vt100", "l/linux", "d/dumb"):  # curses draws pygrub's menu, and needs these files.
        path = terminal(name)
        archive.file(str(path), path)
    return compiled


def terminal(name: str, directories: Iterable[Path] = TERMINALS) -> Path:
    """Returns the path of the description of a terminal. `name` is relative, for example `v/vt100`."""
    for directory in directories:
        if (directory / name).exists():
            return directory / name
    raise ValueError(f"this machine has no description of the terminal {name}: install ncurses-base")


def _tools(archive: Archive) -> list[Path]:
    """Adds programs that are installed on this machine. Returns their paths."""
    found = []
    for name in TOOLS:
        path = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
        if path is None:
            raise ValueError(f"this machine has no program {name}: run tools/install-packages")
        found.append(Path(path).resolve())
        archive.file(f"/usr/sbin/{name}", found[-1])
    for link, target in TOOL_LINKS.items():
        archive.symlink(link, target)
    return found


def _installed(archive: Archive, names: Iterable[str]) -> list[Path]:
    """Adds the files of packages that are installed on this machine. Returns the binaries among
    these files."""
    listing = subprocess.run(["dpkg", "-L", *names], text=True, capture_output=True)
    if listing.returncode:
        raise ValueError(f"not installed: {listing.stderr.strip()}")
    binaries = []
    for path in map(Path, sorted(set(listing.stdout.split("\n")))):
        name = str(path)
        if not name.startswith(("/usr/", "/bin/", "/lib/")) or UNUSED.search(name):
            continue
        if path.is_symlink():
            archive.symlink(name, str(path.readlink()))
        elif path.is_file():
            archive.file(name, path)
            if path.suffix == ".py":
                compiled = path.parent / "__pycache__" / f"{path.stem}.{sys.implementation.cache_tag}.pyc"
                if compiled.exists():
                    archive.file(str(compiled), compiled)
            elif path.suffix != ".pyc":
                binaries.append(path)
    return [path for path in binaries if _is_elf(path)]


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def libraries(binaries: Iterable[Path], unpacked: Path) -> dict[str, Path]:
    """Returns the shared libraries that the binaries need, by name. The libraries of Xen come from the
    unpacked packages.

    Raises ValueError if a library is missing.
    """
    own = (LIBRARY_DIRECTORY[1:], "usr/lib/xen-4.17/lib/x86_64-linux-gnu")
    search = {"LD_LIBRARY_PATH": ":".join(str(unpacked / path) for path in own), "PATH": "/usr/bin:/bin"}
    listing = subprocess.run(["ldd", *binaries], env=search, text=True, capture_output=True).stdout
    if missing := re.findall(r"(\S+) => not found", listing):
        raise ValueError(f"libraries missing on this machine: {' '.join(sorted(set(missing)))}")
    found = dict(re.findall(r"(\S+) => (/.+) \(0x", listing))
    found |= {Path(loader).name: loader for loader in re.findall(r"^\s+(/\S+) \(0x", listing, re.MULTILINE)}
    return {name: Path(path) for name, path in found.items()}


def _libraries(archive: Archive, binaries: list[Path], unpacked: Path) -> None:
    """Adds all shared libraries that the binaries need, and all of Xen's."""
    directory = unpacked / LIBRARY_DIRECTORY[1:]
    own = [path for path in directory.glob("libx*.so.*") if not path.is_symlink()]
    for name, path in libraries([*binaries, *own], unpacked).items():
        place = "/lib64" if name.startswith("ld-linux") else LIBRARY_DIRECTORY
        archive.file(f"{place}/{name}", path.resolve())
    for path in (*own, *OTHER_LIBRARIES):
        archive.file(f"{LIBRARY_DIRECTORY}/{_soname(path)}", path.resolve())


def _soname(path: Path) -> str:
    """Returns the name under which programs load a library: libxenctrl.so.4.17 for libxenctrl.so.4.17.0."""
    for link in path.parent.glob(path.name.split(".so.")[0] + ".so.*"):
        if link.is_symlink() and link.resolve() == path.resolve():
            return link.name
    return path.name
