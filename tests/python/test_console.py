# SPDX-License-Identifier: LGPL-2.1-or-later
"""Consoles. A program reads, searches and logs a guest's output. The use of memory is bounded, and the end
of the output is reported."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aioxen
import pytest
from limits import scaled
from worldly import ROOT, Configure

with contextlib.suppress(ImportError):  # The virtual machine has no uvloop.
    import uvloop

    uvloop.new_event_loop().close()  # libuv opens a pipe with its first loop, and never closes the pipe.

SECONDS = 20.0
"""The longest time that a test waits for output, in seconds."""

simulated = pytest.mark.skipif(
    not shutil.which("aioxen-sim-ctl"), reason="only guests of the simulator talk or flood"
)


@contextlib.asynccontextmanager
async def running(
    xen: aioxen.Context, config: aioxen.DomainConfig, limit: int = 1 << 16
) -> AsyncIterator[tuple[aioxen.Domain, aioxen.Console]]:
    dom = await xen.domain_create(config)
    try:
        async with dom.console(limit=limit) as console:
            await dom.unpause()
            yield dom, console
    finally:
        with contextlib.suppress(aioxen.DomainNotFoundError):
            await dom.destroy()


@pytest.mark.parametrize("make", ["pv", "pvh"])
async def test_a_guest_prints_its_command_line(
    xen: aioxen.Context, guest: Configure, nothing_left: None, make: str
) -> None:
    async with running(xen, guest("b", machine=make)) as (_, console):
        match = await console.expect(r"tiny: (\S+)\s", timeout=SECONDS)
        assert match[1] == b"b"
        assert not console.ended


async def test_the_output_ends_with_the_domain(
    xen: aioxen.Context, guest: Configure, nothing_left: None
) -> None:
    async with running(xen, guest("b")) as (dom, console):
        await console.expect("tiny: b\n", timeout=SECONDS)
        reader = asyncio.create_task(console.expect("never"))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="another task"):
            await console.read()
        await dom.destroy()
        with pytest.raises(EOFError, match="'never'"):
            await asyncio.wait_for(reader, SECONDS)
        assert console.ended
        assert await console.read() == b""
        assert await console.readline() == b""
        assert [line async for line in console] == []
        with pytest.raises(BrokenPipeError):
            await console.write("x")


async def test_a_pattern_that_does_not_come(
    xen: aioxen.Context, guest: Configure, nothing_left: None
) -> None:
    async with running(xen, guest("b")) as (_, console):
        assert (await console.read()).startswith(b"tiny")
        with pytest.raises(TimeoutError, match=r"b'never' has not come in 0\.05 s; the output ends with b''"):
            await console.expect("never", timeout=0.05)


async def test_a_console_that_is_not_open(xen: aioxen.Context, guest: Configure, nothing_left: None) -> None:
    dom = await xen.domain_create(guest("b"))
    console = dom.console()
    for call in console.read(), console.write("x"), console.log_to("/nowhere"):
        with pytest.raises(RuntimeError, match="not open"):
            await call
    with pytest.raises(ValueError, match="limit"):
        dom.console(limit=1)
    with pytest.raises(aioxen.NotFoundError):
        async with dom.console(type=aioxen.ConsoleType.SERIAL):
            pass
    async with console:
        with pytest.raises(RuntimeError, match="open already"):
            await console.__aenter__()
    await dom.destroy()


@pytest.mark.parametrize("path", ["/dev/null", "/dev/zero"])
async def test_only_a_pseudo_terminal_is_opened(
    xen: aioxen.Context, guest: Configure, nothing_left: None, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python does not open a file that is no terminal, even if the C library returns its path."""
    dom = await xen.domain_create(guest("b"))

    async def tty(*_: object) -> str:
        return path

    monkeypatch.setattr(type(xen), "domain_console_tty", tty)
    with pytest.raises(aioxen.FailedError, match="not a pseudo-terminal"):
        async with dom.console():
            pass
    await dom.destroy()


@simulated
async def test_a_dialogue(xen: aioxen.Context, guest: Configure, nothing_left: None) -> None:
    async with running(xen, guest("b console=echo")) as (_, console):
        await console.expect(re.compile(rb"tiny.*\n"), timeout=SECONDS)
        await console.write("hello\n")
        assert await console.readline() == b"echo: hello\n"
        await console.write(b"one\ntwo\n")
        assert [await anext(console), await anext(console)] == [b"echo: one\n", b"echo: two\n"]


@simulated
async def test_input_that_the_terminal_has_no_room_for(
    xen: aioxen.Context, guest: Configure, nothing_left: None
) -> None:
    """The guest reads 100,000 octets in parts. A write fails if the console ends before the guest has read
    all octets."""
    async with running(xen, guest("b")) as (dom, console):
        await asyncio.wait_for(asyncio.gather(*(console.write(b"x" * 10000) for _ in range(10))), SECONDS)
        await dom.pause()
        writer = asyncio.create_task(console.write(b"x" * 100000))
        await asyncio.sleep(0.05)
        assert not writer.done()
        await dom.destroy()
        with pytest.raises(BrokenPipeError):
            await asyncio.wait_for(writer, SECONDS)


@simulated
async def test_a_flood_takes_bounded_memory(
    xen: aioxen.Context, guest: Configure, nothing_left: None
) -> None:
    async with running(xen, guest("b console=flood"), limit=5000) as (dom, console):
        with pytest.raises(TimeoutError):
            await console.expect("never", timeout=0.2)
        await asyncio.sleep(0.1)
        assert len(console._buffer) <= 5000
        assert len(await console.read(100)) == 100
        await console.readline()
        assert (await console.readline()).startswith(b"flood ")
        await dom.destroy()
        while await asyncio.wait_for(console.read(), SECONDS):
            pass


@simulated
async def test_a_long_line_comes_in_pieces(xen: aioxen.Context, guest: Configure, nothing_left: None) -> None:
    async with running(xen, guest("b console=echo"), limit=16) as (_, console):
        assert await console.readline() == b"tiny: b console="
        assert await console.readline() == b"echo\n"


@simulated
async def test_the_log_is_rotated(
    xen: aioxen.Context, guest: Configure, nothing_left: None, tmp_path: Path
) -> None:
    """The log gets the output even if no task reads the console. The newest output is at the end of the
    log."""
    path = tmp_path / "log"
    async with running(xen, guest("b console=flood"), limit=100) as (_, console):
        await console.log_to(path, max_bytes=1000, keep=2)
        with pytest.raises(RuntimeError, match="log already"):
            await console.log_to(path)
        while not (tmp_path / "log.2").exists():
            await asyncio.sleep(0.01)
        assert len(console._buffer) <= 100
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["log", "log.1", "log.2"]
    assert all(file.stat().st_size <= 1000 for file in files)
    text = b"".join((tmp_path / name).read_bytes() for name in ("log.2", "log.1", "log"))
    numbers = [int(line.split()[1]) for line in text.splitlines()[1:-1]]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


async def test_a_log_that_cannot_be_written(
    xen: aioxen.Context, guest: Configure, nothing_left: None, tmp_path: Path
) -> None:
    dom = await xen.domain_create(guest("b"))
    with pytest.raises(OSError, match="No space"):
        async with dom.console() as console:
            with pytest.raises(FileNotFoundError):
                await console.log_to(tmp_path / "no" / "log")
            await console.log_to("/dev/full")
            await dom.unpause()
            await console.expect("tiny", timeout=SECONDS)
    await dom.destroy()


async def on_uvloop(body: Callable[[], Awaitable[None]]) -> None:
    """Runs the body in a loop of uvloop, in a thread."""

    pytest.importorskip("uvloop")

    def run() -> None:
        loop = uvloop.new_event_loop()
        try:
            loop.run_until_complete(body())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            loop.close()

    await asyncio.to_thread(run)


async def test_uvloop(guest: Configure, nothing_left: None, tmp_path: Path) -> None:
    async def body() -> None:
        async with aioxen.Context() as xen, running(xen, guest("b")) as (dom, console):
            await console.log_to(tmp_path / "log")
            await console.expect("tiny", timeout=SECONDS)
            await dom.destroy()
            assert await asyncio.wait_for(console.read(), SECONDS) is not None
        assert (tmp_path / "log").read_bytes().startswith(b"tiny")

    await on_uvloop(body)


@simulated
async def test_many_consoles_at_once(xen: aioxen.Context, guest: Configure, nothing_left: None) -> None:
    async def one(number: int) -> None:
        async with running(xen, guest(f"b console=echo {number}", name=f"talker-{number}")) as (_, console):
            await console.expect(rf"tiny.* {number}\n", timeout=SECONDS)
            await console.write(f"{number}\n")
            await console.expect(rf"echo: {number}\n", timeout=SECONDS)

    await asyncio.gather(*(one(number) for number in range(10)))


@simulated
@pytest.mark.parametrize(
    ("arguments", "typed", "status", "output"),
    [
        (
            ["tiny: (.*)\\n", "hello", "echo: .*\\n"],
            "",
            0,
            r"tiny: b console=echo\n" "\n" r"echo: hello\n" "\n",
        ),
        (["never", "--timeout", "0.2"], "", 1, ""),
        ([], "typed\n\x1d", 0, ""),
    ],
)
async def test_the_example(
    xen: aioxen.Context,
    guest: Configure,
    nothing_left: None,
    arguments: list[str],
    typed: str,
    status: int,
    output: str,
) -> None:
    dom = await xen.domain_create(guest("b console=echo"))
    await dom.unpause()
    example = [sys.executable, str(ROOT / "examples/console.py"), guest("b").c_info.name or "", *arguments]
    done = await asyncio.to_thread(
        subprocess.run, example, input=typed, capture_output=True, text=True, timeout=scaled(60)
    )
    assert (done.returncode, done.stderr.count("Traceback")) == (status, 0), done.stderr
    if output:
        assert done.stdout == output
    if status:
        assert "b'never' has not come in 0.2 s" in done.stderr
    await dom.destroy()


async def test_xenconsole_works_on_the_same_terminal(
    xen: aioxen.Context, guest: Configure, nothing_left: None
) -> None:
    """Opening the console does not change the terminal's settings, which xenconsoled has made."""
    if not shutil.which("xenconsole"):
        pytest.skip("needs xenconsole")
    dom = await xen.domain_create(guest("b"))
    async with dom.console():
        pass
    await dom.unpause()
    process = await asyncio.create_subprocess_exec(
        "xenconsole", str(dom.domid), stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), SECONDS) == b"tiny: b\n"
    await dom.destroy()
    await asyncio.wait_for(process.wait(), SECONDS)
