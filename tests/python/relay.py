# SPDX-License-Identifier: LGPL-2.1-or-later
"""relay.py SOCKET: connects standard input and output to a unix socket, as `socat - UNIX:SOCKET` does."""

import os
import socket
import sys
import threading

connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])


def back() -> None:
    while data := connection.recv(1 << 16):
        os.write(1, data)
    os._exit(0)


threading.Thread(target=back).start()
while data := os.read(0, 1 << 16):
    connection.sendall(data)
connection.shutdown(socket.SHUT_WR)
