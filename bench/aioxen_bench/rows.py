# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every line of the table that `make bench` measures, with its goal.

A goal about time is a multiple of the peer's or the floor's number in the same round. So the goal is equally
strict on slow and on fast machines. Goals about memory, wakes and growth are numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from .line import Goal, Line, Tool, World, at_least, at_most, at_most_beyond

LIBXL = "libxl 4.17"
SIZES = (10, 100, 1_000, 10_000)
"""The sizes at which a row is measured if its cost depends on a size."""
AHEAD = at_most(1, of="peer")
"""The goal of a line that has no stricter goal: at most the peer's number."""


def both(row: int, what: str, unit: str, key: str, program: str, goal: Goal = AHEAD, **more: Any) -> Line:
    """Returns a line whose programs are one source, compiled against this library and against libxl."""
    line = Line(row, what, unit, key, f"aioxen/{program}", f"libxl/{program}", LIBXL, goal=goal)
    return replace(line, **more)


def instant(row: int, what: str, way: str, goal: Goal) -> Iterator[Line]:
    program, raw = f"instant {way} {{n}}", "plain/hypercalls pause {n}"
    yield both(row, what, "ns", "ns", program, goal, floor=raw, n=200_000, quick=100)
    counts = (
        ("instructions", "instructions", Tool.CALLGRIND, at_most(2, of="floor")),
        ("allocator calls", "allocations", Tool.COUNTERS, at_most(1, of="floor")),
    )
    for unit, key, tool, bound in counts:
        few: dict[str, Any] = {"n": 1_000, "quick": 100, "once": True, "floor": raw}
        yield both(row, f"{what}: {unit}", unit, key, program, bound, tool=tool, **few)


def loops(
    row: int, what: str, unit: str, key: str, program: str, libuv: Goal = AHEAD, **more: Any
) -> Iterator[Line]:
    """Yields the core's loop, compared with libuv's and GLib's. A program cannot drive libxl's loop
    from outside."""
    for peer, name, goal in ("uv", "libuv", libuv), ("glib", "GLib", AHEAD):
        line = Line(row, what, unit, key, f"core/{program}", f"{peer}/{program}", name, goal=goal)
        yield replace(line, **more)


def descriptors() -> Iterator[Line]:
    what = "10,000 descriptors, all ready: one pass"
    # Both loops make one epoll_wait and one call per descriptor. The times differ only by the noise of a run.
    equal = at_most(1.2, of="peer")
    yield from loops(3, what, "ms", "ms", "descriptors all {n}", equal, n=10_000, quick=20)
    for ready in "none", "one":
        yield Line(
            3,
            f"10,000 descriptors, {ready} ready: one pass, compared with 10 descriptors",
            "ns",
            "ns",
            f"core/descriptors {ready} {{n}}",
            floor=f"core/descriptors {ready} 10",
            goal=at_most(1.5, of="floor"),
            n=10_000,
            quick=20,
        )
    for ready in "all", "one", "none":
        for size in SIZES:
            what = f"{size:,} descriptors, {ready} ready: one pass"
            yield from loops(3, what, "ns", "ns", f"descriptors {ready} {{n}}", n=size, quick=10, size=size)


def timers() -> Iterator[Line]:
    for key, words in ("register", "registered, ascending"), ("fire", "called when they expire"):
        what, many = f"16,000 timers {words}", {"n": 16_000, "quick": 20}
        # A timer is part of the caller's structure, and the heap is one array. Measured: 0.25 to 0.5 of the
        # peer.
        yield from loops(4, what, "ms", f"{key}_ms", "timers {n}", at_most(0.75, of="peer"), **many)
        for size in SIZES:
            what, few = f"one of {size:,} timers {words}", {"n": size, "quick": 10}
            yield from loops(4, what, "ns", f"{key}_ns", "timers {n}", size=size, **few)


def queue(way: str, goal: Goal) -> Iterator[Line]:
    words = {
        "batch": "by batch",
        "reverse": "by for_user, newest first",
        "random": "by for_user, any order",
        "own": "by the application's predicate, newest first",
    }
    program = f"queue {way} {{n}}"
    yield both(5, f"16,000 queued events taken {words[way]}", "ms", "ms", program, goal, n=16_000, quick=50)
    for size in SIZES:
        what = f"taking one of {size:,} queued events {words[way]}"
        yield both(5, what, "ns", "ns", program, n=size, quick=10, size=size)


def deaths() -> Iterator[Line]:
    # The library lists all domains and compares them with the previous list. The floor is the time of the
    # listing alone, without a wake-up. With 100 domains a wake-up takes ten times as long as the listing. So
    # the goal for 100 is a fraction of the peer's number.
    goals = {100: at_most(1 / 3, of="peer"), 1_000: at_most(4, of="floor"), 5_000: at_most(4, of="floor")}
    for size in sorted({*goals, *SIZES}):
        goal = goals.get(size, AHEAD)
        what = f"one of {size:,} watched domains dies"
        floor = "plain/hypercalls list {n} 200"
        yield both(6, what, "ms", "ms", "deaths {n}", goal, floor=floor, n=size, quick=20, size=size)


def waits() -> Iterator[Line]:
    for size in 10_000, 100_000:
        what = f"{size:,} operations wait for one domain, which stops: "
        few: dict[str, Any] = {"n": size, "quick": 10, "once": True}
        yield replace(Line(6, what + "until all have ended", "ms", "ms", "aioxen/waits {n}"), **few)
        longest = Line(6, what + "the longest call", "ms", "longest", "aioxen/waits {n}", goal=at_most(5))
        yield replace(longest, **few)


def pending() -> Iterator[Line]:
    for way, words, goal in (
        ("stops", "waits for a guest to stop", at_most(512)),
        ("requests", "shutdown requests that no guest acknowledges", AHEAD),
    ):
        for size in SIZES:
            what = f"memory of each of {size:,} {words}"
            few: dict[str, Any] = {"n": size, "quick": 10, "once": True, "tool": Tool.LIVE}
            line = both(8, what, "bytes", "bytes", f"pending {way} {{n}}", goal, size=size, **few)
            # For 10,000 operations the peer needs 10,000 watches, and for them xenstored needs more time than
            # a program may take.
            if size < SIZES[-1]:
                yield line
            elif way == "stops":
                yield replace(line, peer=None, peer_name=None)


def crowd() -> Iterator[Line]:
    what = "200 threads in synchronous shutdowns, all finishing: "
    few: dict[str, Any] = {"n": 200, "quick": 5, "tool": Tool.COUNTERS, "floor": "plain/crowd {n}"}
    # A guest acknowledges its shutdown request by a write to xenstore. For each such write, xenstored sends
    # the program two messages: the event of the watch, and the answer to the program's read of the node. Each
    # message wakes the thread that polls. So the goal cannot be one wake per thread, and is a part of libxl's
    # number.
    yield both(7, what + "wakes per thread", "wakes", "wakes", "crowd {n}", at_most(0.1, of="peer"), **few)
    yield both(7, what + "context switches per thread", "switches", "switches", "crowd {n}", **few)


def threads() -> Iterator[Line]:
    for key, words, goal in ("shared", "one context", at_least(1)), ("apart", "two contexts", at_least(1.9)):
        what, many = f"two threads on {words}, compared with one thread", {"n": 200_000, "quick": 100}
        yield both(9, f"{what}: pauses", "×", key, "threads {n}", goal, floor="plain/threads {n}", **many)
        alone = Line(9, f"{what}: in the core alone", "×", key, "core/threads {n}", goal=goal)
        yield replace(alone, n=10_000_000, quick=100)


def day() -> Iterator[Line]:
    what, long = "10,000,000 operations: ", {"n": 10_000_000, "quick": 10_000, "once": True}
    for line in (
        Line(18, what + "growth of memory", "kB", "kb", "aioxen/day {n}", goal=at_most(16)),
        Line(
            18,
            what + "the last million, compared with the first",
            "×",
            "ratio",
            "aioxen/day {n}",
            goal=at_most(1.05),
        ),
    ):
        yield replace(line, **long)


def creates() -> Iterator[Line]:
    what = "create and destroy one of 100 PV and 100 PVH guests, 16 at a time"
    some: dict[str, Any] = {"n": 100, "quick": 1, "once": True}
    third = at_most(1 / 3, of="peer")
    yield both(10, f"{what}: C", "ms", "ms", "creates {n} 20", third, **some)
    ours, xl = "creates.py aioxen {n} 20", "creates.py xl {n} 20"
    python = f"{what}: Python"
    for peer, name, goal in ("libxl/creates {n} 20", LIBXL, third), (xl, "xl", at_most(0.1, of="peer")):
        yield replace(Line(10, python, "ms", "ms", ours, peer, name, goal=goal), **some)


def devices() -> Iterator[Line]:
    what = "create and destroy one of 50 PV and 50 PVH guests with two disks and an interface, 16 at a time"
    some: dict[str, Any] = {"n": 50, "quick": 1, "once": True}
    third, tenth = at_most(1 / 3, of="peer"), at_most(0.1, of="peer")
    yield both(21, f"{what}: C", "ms", "ms", "creates devices {n} 20", third, **some)
    ours, xl = "creates.py aioxen {n} 20 devices", "creates.py xl {n} 20 devices"
    for peer, name, goal in ("libxl/creates devices {n} 20", LIBXL, third), (xl, "xl", tenth):
        yield replace(Line(21, f"{what}: Python", "ms", "ms", ours, peer, name, goal=goal), **some)
    # Row 11 also measures this duration for guests without devices.
    words = "100 guests with devices: the longest callback, in processor time"
    held = Line(11, words, "ms", "busy", f"{ours} watched")
    yield replace(held, goal=at_most(5), **some)


def held() -> Iterator[Line]:
    what = "16 PV and 16 PVH guests with 256 MB: "
    ours, peer = "creates.py aioxen {n} 256 watched", "libxl/creates held {n} 256"
    # libxl builds a guest inside one call. This library builds guests on workers.
    tenth = at_most(0.1, of="peer")
    held = Line(11, what + "the loop's longest callback", "ms", "held", ours, peer, LIBXL, goal=tenth)
    # The builds occupy both processors. Five times the delay of an idle loop is still too short to notice.
    delay = at_most(5, of="floor")
    late = Line(11, what + "the loop's largest delay", "ms", "late", ours, goal=delay)
    for line in (
        replace(held, peer_key="ms"),
        Line(11, what + "the longest callback, without waiting for a processor", "ms", "unhindered", ours),
        Line(11, what + "the longest callback, in processor time", "ms", "busy", ours),
        replace(late, floor="creates.py idle {n} 256 watched"),
    ):
        yield replace(line, n=16, quick=1)


def lag() -> Iterator[Line]:
    what = "50 guests with devices, one mute, xenstored frozen for 2 s, contexts closed: "
    ours = "lag.py aioxen {n}"
    late = Line(23, what + "the loop's largest delay", "ms", "late", ours, floor="lag.py idle {n}")
    held = Line(23, what + "the longest callback, in processor time", "ms", "busy", ours)
    yield replace(late, goal=at_most_beyond(5, of="floor"), n=50, quick=2)
    yield replace(held, goal=at_most(5), n=50, quick=2)


def saves() -> Iterator[Line]:
    guest = "a PVH guest with 1 GB, to and from a file in memory"
    ours, peer, floor = "aioxen/saves library {n}", "libxl/saves library {n}", "aioxen/saves bare {n}"
    # The floor is a call of libxenguest's function in the measuring process.
    for key, words, unit in (
        ("save", f"{guest}: saved", "MB/s"),
        ("restore", f"{guest}: restored", "MB/s"),
        ("save_cpu", f"{guest}: saved, by processor time", "MB/s"),
        ("restore_cpu", f"{guest}: restored, by processor time", "MB/s"),
    ):
        line = Line(24, words, unit, key, ours, peer, LIBXL, floor, at_least(0.97, of="floor"))
        yield replace(line, n=1024, quick=20)
    memory = "memory of this process for each of 16 saves under way"
    few: dict[str, Any] = {"n": 16, "quick": 2, "once": True, "tool": Tool.LIVE}
    yield both(26, memory, "bytes", "bytes", "saves memory {n}", at_most(8192), **few)


def saves_at_once() -> Iterator[Line]:
    what = "16 live saves at once, 100 pauses a second, one mute guest: "
    ours = "saves.py aioxen {n}"
    late = Line(23, what + "the loop's largest delay", "ms", "late", ours, floor="saves.py idle {n}")
    held = Line(23, what + "the longest callback, in processor time", "ms", "busy", ours)
    yield replace(late, goal=at_most_beyond(5, of="floor"), n=16, quick=2)
    yield replace(held, goal=at_most(5), n=16, quick=2)


def busy() -> Iterator[Line]:
    held = "a C thread held by {} while Python is busy"
    for what, words, goal in (
        # The floor is the same call without an operation. The operation's end may cost half as much as the
        # floor.
        ("end", "an operation's end", at_most(1.5, of="floor")),
        ("operation", "a whole operation, with its hypercall,", None),
    ):
        ours, peer, floor = (f"busy.py {what} {way} {{n}}" for way in ("event", "callback", "nothing"))
        line = Line(14, held.format(words), "ns", "ns", ours, peer, "callback", floor, goal)
        yield replace(line, n=200, quick=5)


def ends() -> Iterator[Line]:
    what = "a guest powers off, in the virtual machine: until "
    few: dict[str, Any] = {"n": 20, "quick": 1, "world": World.XEN}
    yield both(16, what + "the event (C)", "ms", "ms", "ends {n}", **few)
    ours, peer, floor = "ends.py aioxen {n}", "libxl/ends {n}", "ends.py plain {n}"
    yield replace(Line(16, what + "the awaited future", "ms", "ms", ours, peer, LIBXL, floor, AHEAD), **few)


def media() -> Iterator[Line]:
    what = "another medium is inserted into a CD drive of an HVM guest, on the simulator"
    ours, peer = "media.py aioxen {n}", "media.py xl {n}"
    line = Line(28, what, "ms", "insert", ours, peer, "xl", goal=at_most(0.2, of="peer"))
    yield replace(line, n=20, quick=1)


def devices_on_xen() -> Iterator[Line]:
    what = "a guest with a file disk and a bridged interface, in the virtual machine: "
    ours, peer = "devices.py aioxen {n}", "devices.py xl {n}"
    for row, words, key, goal in (
        (19, "what the devices add to its creation", "create", at_most(0.1, of="peer")),
        (20, "its destruction", "destroy", at_most(0.25, of="peer")),
    ):
        line = Line(row, what + words, "ms", key, ours, peer, "xl", goal=goal)
        yield replace(line, n=3, quick=1, world=World.XEN)


def downtime() -> Iterator[Line]:
    what = "a PVH guest moves to another virtual machine and back while it runs: "
    some: dict[str, Any] = {"n": 2, "quick": 1, "once": True, "tool": Tool.PATIENT, "world": World.OWN}
    for words, unit, ours, peer, goal in (
        ("the guest is silent", "ms", "ours", "xl", at_most(0.8, of="peer")),
        ("the whole move", "s", "ours_s", "xl_s", None),
    ):
        program = "downtime.py {n}"
        line = Line(25, what + words, unit, ours, program, program, "xl", goal=goal, peer_key=peer)
        yield replace(line, **some)


def hvm() -> Iterator[Line]:
    what = "an HVM guest with a disk and a CD drive, in the virtual machine: "
    ours, peer = "hvm.py aioxen {n}", "hvm.py xl {n}"
    for words, key, goal in ("created", "create", at_most(0.5, of="peer")), ("destroyed", "destroy", AHEAD):
        line = Line(27, what + words, "ms", key, ours, peer, "xl", goal=goal)
        yield replace(line, n=3, quick=1, tool=Tool.PATIENT, world=World.XEN)


def reads() -> Iterator[Line]:
    what, many = "a name read from xenstore, 1,000 awaited together", {"n": 1_000, "quick": 20}
    for peer, name, goal in ("loop", "libxenstore, one by one", 0.5), ("executor", "run_in_executor", 0.25):
        line = Line(15, what, "ns", "ns", "reads.py aioxen {n}", f"reads.py {peer} {{n}}", name)
        yield replace(line, floor="reads.py wire {n}", goal=at_most(goal, of="peer"), **many)


def start() -> Iterator[Line]:
    for key, words, goal in (
        # The floor is the import of asyncio, which aioxen imports. Measured: the other imports take 0.19 to
        # 0.3 of the floor.
        ("import", "import aioxen", at_most(1.3, of="floor")),
        ("import_cpu", "import aioxen, in processor time", at_most_beyond(10, of="floor")),
        ("context", "a context opened", None),
        ("first", "the first operation", None),
    ):
        floor = "start.py bare" if key.startswith("import") else None
        yield Line(17, words, "ms", key, "start.py", floor=floor, goal=goal)
    what, many = "10,000 live domains listed", {"n": 10_000, "quick": 10}
    # The floor is the raw hypercalls. Filling in the structures may cost a fifth of the floor.
    floor = "plain/hypercalls list {n} 200"
    yield both(17, what, "ms", "ms", "listing {n} 200", at_most(1.2, of="floor"), floor=floor, **many)


def fleets() -> Iterator[Line]:
    what = "domain_get_info on another host, through NATS, awaited one after the other"
    # The request goes to the broker and to the agent, and the reply comes back. So a call passes through
    # Python's event loops four times.
    goal = at_most_beyond(1_000, of="floor")
    yield Line(
        29, what, "µs", "us", "fleet.py trip {n}", floor="fleet.py local {n}", goal=goal, n=2_000, quick=20
    )
    for hosts in 1, 10, 50:
        what = f"domain_get_info by 64 tasks of one program, on {hosts} hosts"
        yield Line(30, what, "/s", "a_second", f"fleet.py rate {hosts} {{n}}", n=50, quick=2)
    for key, words, unit in (
        ("connected_s", "all are connected after", "s"),
        ("known_s", "a new client has heard of all after", "s"),
        ("fan_out_s", "domain_list on each takes", "s"),
        ("agents_mib", "memory of their one process", "MiB"),
        ("broker_mib", "memory of the broker", "MiB"),
    ):
        line = Line(31, f"1,000 agents in one process: {words}", unit, key, "fleet.py crowd {n}")
        yield replace(line, n=1_000, quick=3, once=True)
    # The domains that this program creates stay until the simulated machine of the row ends.
    for key, words, goal in (
        ("idle_mib", "idle", at_most(40)),
        ("domains_mib", "with 1,000 domains", None),
    ):
        what, few = f"memory of an agent, {words}", {"n": 1_000, "quick": 2, "once": True}
        yield replace(Line(31, what, "MiB", key, "fleet.py memory {n}", goal=goal), **few)  # type: ignore[arg-type]


def statistics() -> Iterator[Line]:
    what, many = (
        "what 1,000 domains with two disks and a network interface have done",
        {"n": 1_000, "quick": 20},
    )
    # The floor is only the hypercalls and the reads of files.
    ours, floor = "aioxen/statistics {n} 11", "plain/statistics {n} 11"
    yield replace(Line(22, what, "ms", "ms", ours, floor=floor, goal=at_most(1.3, of="floor")), **many)


def futures() -> Iterator[Line]:
    goals = {"asyncio": {1: 1.8, 16: 1.2, 256: 1.05}, "uvloop": {1: 2.4, 16: 1.7, 256: 1.6}}
    for loop, batches in goals.items():
        for size in sorted({*batches, *SIZES}):
            goal = at_most(batches[size], of="floor") if size in batches else None
            yield Line(
                12,
                f"{loop}: an operation awaited by each of {size:,} tasks",
                "ns",
                "ns",
                f"futures.py {loop} operation {size} {{n}}",
                peer=f"futures.py {loop} executor {size} {{n}}",
                peer_name="run_in_executor",
                floor=f"futures.py {loop} future {size} {{n}}",
                goal=goal,
                n=100_000,
                quick=20,
                size=size,
            )
    for loop in goals:
        for way, words, goal in (
            ("instant", "an operation that completes inside its initiator", at_most(0.15, of="floor")),
            ("done", "a completed future without a hypercall", None),
        ):
            ours, floor = (f"futures.py {loop} {each} 16 {{n}}" for each in (way, "future"))
            line = Line(13, f"{loop}: {words}", "ns", "ns", ours, floor=floor, goal=goal)
            yield replace(line, n=100_000, quick=20)


LINES: list[Line] = [
    *instant(1, "pause, its completion taken as an event", "event", AHEAD),
    # The floor is the raw hypercall, about 950 instructions. The library adds about 300.
    *instant(2, "pause, synchronous", "sync", at_most(1.6, of="floor")),
    *instant(2, "pause, completed by a callback", "callback", at_most(1.6, of="floor")),
    *descriptors(),
    *timers(),
    *queue("batch", AHEAD),
    # libxl searches the queue for each event. This library has an index. Measured: 0.002 to 0.007 of libxl's
    # time.
    *queue("reverse", at_most(0.05, of="peer")),
    *queue("random", at_most(0.05, of="peer")),
    *queue("own", AHEAD),
    *deaths(),
    *waits(),
    *crowd(),
    *pending(),
    *threads(),
    *creates(),
    *devices(),
    *held(),
    *futures(),
    *busy(),
    *reads(),
    *ends(),
    *devices_on_xen(),
    *downtime(),
    *hvm(),
    *start(),
    *day(),
    *statistics(),
    *fleets(),
    *lag(),
    *saves_at_once(),
    *saves(),
    *media(),
]
