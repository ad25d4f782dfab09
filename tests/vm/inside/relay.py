# SPDX-License-Identifier: LGPL-2.1-or-later
"""relay.py HOST PORT: connects standard input and output to a TCP port, with large blocks.

busybox's nc copies 1 KiB at a time. In the emulated machine it needs many minutes for a guest's memory.
"""

import os
import socket
import sys
import threading

BLOCK = 1 << 18


def send() -> None:
    while data := os.read(0, BLOCK):
        connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)


connection = socket.create_connection((sys.argv[1], int(sys.argv[2])))
threading.Thread(target=send, daemon=True).start()
while data := connection.recv(BLOCK):
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]
