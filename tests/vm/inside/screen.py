# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads the screen of a VNC server, by the protocol RFB 3.8 (RFC 6143), and writes it as a PNG file."""

from __future__ import annotations

import asyncio
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

NO_AUTHENTICATION = 1
RAW = 0
# 32 bits for each pixel, the lowest octet first: blue, green, red, and one that is not used.
PIXELS = struct.pack("!BBBBHHHBBBxxx", 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)


@dataclass
class Screen:
    width: int
    height: int
    pixels: bytes  # Each pixel has four octets: blue, green, red, and one that is not used.

    def lit_pixels(self) -> int:
        """Returns the number of pixels that are not black."""
        return sum(self.pixels[i : i + 3] != b"\0\0\0" for i in range(0, len(self.pixels), 4))

    def save(self, path: Path) -> None:
        """Writes a PNG file."""
        rows = bytearray()
        for y in range(self.height):
            rows.append(0)  # The row is not filtered.
            for x in range(self.width):
                start = (y * self.width + x) * 4
                rows += self.pixels[start : start + 3][::-1]

        def chunk(name: bytes, data: bytes) -> bytes:
            return struct.pack("!I", len(data)) + name + data + struct.pack("!I", zlib.crc32(name + data))

        header = struct.pack("!IIBBBBB", self.width, self.height, 8, 2, 0, 0, 0)
        parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(rows))) + chunk(b"IEND", b"")
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + parts)


async def screen(port: int) -> Screen:
    """Returns the screen of the VNC server at this port of this machine."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        assert (await reader.readexactly(12)).startswith(b"RFB 003.")
        writer.write(b"RFB 003.008\n")
        kinds = await reader.readexactly((await reader.readexactly(1))[0])
        assert NO_AUTHENTICATION in kinds
        writer.write(bytes([NO_AUTHENTICATION]))
        assert await reader.readexactly(4) == bytes(4)
        writer.write(b"\1")  # Other viewers may stay connected.
        width, height, _, length = struct.unpack("!HH16sI", await reader.readexactly(24))
        await reader.readexactly(length)
        writer.write(b"\0\0\0\0" + PIXELS)
        writer.write(struct.pack("!BxHi", 2, 1, RAW))
        writer.write(struct.pack("!BBHHHH", 3, 0, 0, 0, width, height))
        return Screen(width, height, await _update(reader, width, height))
    finally:
        writer.close()


async def _update(reader: asyncio.StreamReader, width: int, height: int) -> bytes:
    """Returns the pixels of the screen, when the server has sent each of them."""
    pixels = bytearray(width * height * 4)
    missing = width * height
    while missing > 0:
        kind, rectangles = struct.unpack("!BxH", await reader.readexactly(4))
        assert kind == 0, f"message {kind} of the VNC server"
        for _ in range(rectangles):
            x, y, w, h, encoding = struct.unpack("!HHHHi", await reader.readexactly(12))
            assert encoding == RAW
            for row in range(y, y + h):
                start = (row * width + x) * 4
                pixels[start : start + 4 * w] = await reader.readexactly(4 * w)
            missing -= w * h
    return bytes(pixels)
