# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt.py: how long libvirtd takes to list its domains while it creates a guest with 4 GB.

Debian's libvirtd runs on a simulated machine: first with Debian's libxenlight, then with the drop-in. A
client asks for all domains and their state, as `virsh list` does, each millisecond until the creation has
ended.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("AIOXEN_BUILD", ROOT / "build"))
LIBVIRT = BUILD / "libvirt"
GUEST = f"""<domain type='xen'><name>big</name><memory unit='GiB'>4</memory><vcpu>2</vcpu>
<os><type arch='x86_64' machine='xenpvh'>xenpvh</type><kernel>{BUILD}/guest/tiny</kernel>
<cmdline>l</cmdline></os>
<devices><console type='pty'/></devices></domain>"""
ROUNDS = 10
START_LIMIT_S = 20.0


def libraries() -> str:
    return ":".join(str(LIBVIRT / name) for name in ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"))


def listings() -> None:
    """Measures. Runs in a process that can load libvirt's libraries. Prints the result."""
    library = ctypes.CDLL("libvirt.so.0")
    library.virConnectOpen.restype = ctypes.c_void_p
    connection = ctypes.c_void_p(library.virConnectOpen(b"xen:///system"))

    def ask() -> float:
        begin = time.monotonic()
        domains = ctypes.POINTER(ctypes.c_void_p)()
        for i in range(library.virConnectListAllDomains(connection, ctypes.byref(domains), 0)):
            info = (ctypes.c_ulonglong * 8)()
            library.virDomainGetInfo(ctypes.c_void_p(domains[i]), info)
            library.virDomainFree(ctypes.c_void_p(domains[i]))
        return (time.monotonic() - begin) * 1e3

    times, created = [], []
    for _ in range(ROUNDS):
        begin = time.monotonic()
        child = subprocess.Popen(
            ["virsh", "create", "/dev/stdin"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        assert child.stdin
        child.stdin.write(GUEST.encode())
        child.stdin.close()
        while child.poll() is None:
            times.append(ask())
            time.sleep(0.001)
        assert child.returncode == 0
        created.append(time.monotonic() - begin)
        subprocess.run(["virsh", "destroy", "big"], stdout=subprocess.DEVNULL, check=True)
    times.sort()
    median, most = times[len(times) // 2], times[-1]
    print(
        f"create {sorted(created)[ROUNDS // 2] * 1e3:.0f} ms (median of {ROUNDS}); {len(times)} listings: "
        f"median {median:.2f} ms, 90 % {times[len(times) * 9 // 10]:.2f} ms, longest {most:.1f} ms"
    )


def daemon(library: str) -> None:
    """Starts libvirtd with one of the libraries on the simulated machine, and runs the measurement."""
    env = dict(os.environ) | {
        "LD_LIBRARY_PATH": libraries(),
        "PATH": f"{LIBVIRT}/usr/bin:{os.environ['PATH']}",
        "VIRSH_DEFAULT_CONNECT_URI": "xen:///system",
    }
    modules = LIBVIRT / "usr/lib/x86_64-linux-gnu/libvirt"
    private = env | {
        "LD_LIBRARY_PATH": f"{BUILD}/dropin:{libraries()}" if library == "aioxen" else libraries(),
        "LIBVIRT_DRIVER_DIR": str(modules / "connection-driver"),
        "LIBVIRT_LOCK_MANAGER_PLUGIN_DIR": str(modules / "lock-driver"),
    }
    process = subprocess.Popen(
        [LIBVIRT / "usr/sbin/libvirtd"], env=private, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    end = time.monotonic() + START_LIMIT_S
    while subprocess.run(["virsh", "version"], env=env, capture_output=True).returncode:
        if time.monotonic() > end:
            sys.exit("libvirtd does not answer")
        time.sleep(0.1)
    subprocess.run([sys.executable, __file__, "listings"], env=env, check=True)
    process.terminate()
    process.wait()


def main() -> None:
    if sys.argv[1:2] == ["listings"]:
        listings()
    elif sys.argv[1:]:
        daemon(sys.argv[1])
    else:
        for library in "libxl", "aioxen":
            print(f"{library}: ", end="", flush=True)
            command = [ROOT / "sim/aioxen-sim", "--", sys.executable, __file__, library]
            subprocess.run(command, check=True)


main()
