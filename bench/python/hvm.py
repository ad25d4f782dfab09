# SPDX-License-Identifier: LGPL-2.1-or-later
"""hvm.py aioxen|xl N: creates and destroys N HVM guests with a disk, an empty CD drive and VNC, one by one.

"create": the median time of a creation until the device model is ready and the guest can be unpaused, in ms.
"destroy": the median time of a destruction, in ms. The guests have 64 MiB and SeaBIOS, and stay paused.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path

import aioxen
from lives import Ours, Xl, lives

CONFIG = """\
name = "bench-hvm"
type = "hvm"
memory = 64
disk = ["{disk},raw,hda,rw", "vdev=hdc,access=ro,devtype=cdrom"]
serial = "pty"
vnc = 1
"""


async def main(who: str, count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        disk, config = Path(folder) / "disk", Path(folder) / "hvm.cfg"
        with disk.open("wb") as file:
            file.truncate(16 << 20)
        config.write_text(CONFIG.format(disk=disk))
        async with aioxen.Context() as xen:
            tool = Xl("bench-hvm") if who == "xl" else Ours(xen)
            await lives(tool, config, 1)  # This call is a warm-up. It loads programs and libraries.
            create, destroy = await lives(tool, config, count)
    print(json.dumps({"create": create, "destroy": destroy}))


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
