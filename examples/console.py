#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attach to the console of a domain, like `xl console`, or type into it by a script.

    console.py NAME                         until Ctrl-] or the domain's end
    console.py NAME --log FILE              and append the output to FILE
    console.py NAME 'login: ' root '# ' date '# '
                                            wait for a pattern, type a line, wait for a pattern, ...

The exit status is 1 if a pattern does not come within --timeout seconds, or if the console ends before it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import termios
import tty
from collections.abc import Iterator

import aioxen

ESCAPE = b"\x1d"  # The key Ctrl-], which ends the program.


@contextlib.contextmanager
def raw_terminal(fd: int) -> Iterator[None]:
    """Puts a terminal into raw mode until the end of the block. In raw mode the program gets each key.
    Does nothing if `fd` is no terminal."""
    if not os.isatty(fd):
        yield
        return
    before = termios.tcgetattr(fd)
    tty.setraw(fd)
    try:
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


async def show(console: aioxen.Console) -> None:
    """Writes the guest's output to the terminal unchanged, as `xl console` does."""
    while data := await console.read():
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


async def type_keys(console: aioxen.Console) -> None:
    """Passes keys to the guest until Ctrl-] or the end of the input."""
    keys = asyncio.StreamReader()
    source = os.fdopen(os.dup(0), "rb", buffering=0)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(keys), source
    )
    try:
        while data := await keys.read(1024):
            typed, escape, _ = data.partition(ESCAPE)
            await console.write(typed)
            if escape:
                return
    finally:
        transport.close()


async def attach(console: aioxen.Console) -> int:
    with raw_terminal(0):
        tasks = [asyncio.create_task(part(console)) for part in (show, type_keys)]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return 0


async def follow(console: aioxen.Console, script: list[str], seconds: float) -> int:
    """Waits for a pattern and types a line, for each pattern and line in their order."""
    for number, word in enumerate(script):
        if number % 2:
            await console.write(word + "\n")
            continue
        try:
            match = await console.expect(word, seconds)
        except (TimeoutError, EOFError) as error:
            print(error, file=sys.stderr)
            return 1
        print(repr(match[0])[2:-1])
    return 0


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("name", help="the domain")
    parser.add_argument("script", nargs="*", help="patterns and lines in turn")
    parser.add_argument("--log", metavar="FILE")
    parser.add_argument("--timeout", type=float, default=60, help="seconds for each pattern (60)")
    options = parser.parse_intermixed_args()
    async with aioxen.Context() as xen:
        dom = await xen.domain_find(options.name)
        async with dom.console() as console:
            if options.log:
                await console.log_to(options.log)
            if options.script:
                return await follow(console, options.script, options.timeout)
            return await attach(console)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
