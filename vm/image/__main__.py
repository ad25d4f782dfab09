# SPDX-License-Identifier: LGPL-2.1-or-later
"""python3 -m image WHAT OUT: builds one file from the packages unpacked in build/dom0. Needs no privilege."""

import gzip
import sys
from pathlib import Path

import click

from . import dom0, driver_domain, kernel, linux_guest, qemu

VM = Path(__file__).resolve().parent.parent


def _only(directory: Path, pattern: str) -> Path:
    (path,) = directory.glob(pattern)
    return path


@click.command()
@click.argument(
    "what", type=click.Choice(["xen", "kernel", "dom0", "guest", "driver", "passthrough", "qemu"])
)
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--unpacked",
    type=click.Path(path_type=Path, exists=True, resolve_path=True),
    required=True,
    help="The unpacked packages.",
)
def main(what: str, out: Path, unpacked: Path) -> None:
    """Builds the hypervisor (xen), the kernel, an initramfs (dom0, guest, driver, passthrough) or dom0's
    QEMU as OUT."""
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        if what == "dom0":
            dom0.root(unpacked, VM / "dom0").write(out)
        elif what == "guest":
            linux_guest.root(unpacked, VM / "guest").write(out)
        elif what == "driver":
            driver_domain.root(unpacked, VM / "guest").write(out)
        elif what == "passthrough":
            linux_guest.root(unpacked, VM / "guest", linux_guest.PASSTHROUGH_MODULES).write(out)
        elif what == "qemu":
            qemu.fill(unpacked, out)
        else:
            boot = unpacked / "boot"
            elf = (
                gzip.decompress(_only(boot, "xen-*.gz").read_bytes())
                if what == "xen"
                else kernel.uncompressed(_only(boot, "vmlinuz-*"))
            )
            partial = out.with_name(out.name + ".new")
            partial.write_bytes(elf)
            partial.replace(out)
    except (ValueError, OSError) as error:
        sys.exit(f"image: cannot build {out}: {error}")


main()
