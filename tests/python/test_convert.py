# SPDX-License-Identifier: LGPL-2.1-or-later
"""Conversion to C and back. The tests cover each kind of type over its whole range, and errors with the
path of the value."""

from __future__ import annotations

import dataclasses
import importlib
import pickle
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import aioxen
import pytest
from aioxen import _convert, _values
from aioxen._native import ffi
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from worldly import ROOT

PRELUDE = """
typedef struct libxl_ctx libxl_ctx;
typedef uint32_t libxl_domid;
typedef struct { unsigned char uuid[16]; } libxl_uuid;
typedef struct { uint32_t size; uint8_t *map; } libxl_bitmap;
typedef char **libxl_string_list;
typedef char **libxl_key_value_list;
typedef uint8_t libxl_mac[6];
typedef struct { int val; } libxl_defbool;
typedef struct { uint64_t seconds; uint32_t rest; } libxl_stamp;
typedef void *libxl_opaque;
"""
NATIVE = """
from cffi import FFI
ffi = FFI()
ffi.cdef({0!r})
class lib:
    LIBXL_PLENTY = (1 << 64) - 1
    initialised = []
    def libxl_tuning_init(c):
        lib.initialised.append(c)
    def libxl_tuning_init_kind(c, key):
        lib.initialised.append(key)
"""


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """Returns a package of the modules that are generated from shapes.idl. The package uses C data, but
    not the C library."""
    out = tmp_path_factory.mktemp("shapes")
    idl = Path(__file__).with_name("shapes.idl")
    subprocess.run([sys.executable, "-m", "gen", str(idl), "--out", str(out)], cwd=ROOT, check=True)
    sys.path[:0] = [str(ROOT / "bindings" / "python"), str(out)]
    try:
        headers = importlib.import_module("headers")
        package = out / "shapes"
        package.mkdir()
        declared = PRELUDE + "\n".join(headers.expand("_libxl_types.h", [out / "include"], set()))
        (package / "__init__.py").touch()
        (package / "_native.py").write_text(NATIVE.format(declared))
        generated, ours = out / "python" / "aioxen", ROOT / "bindings" / "python" / "aioxen"
        for source in (
            generated / "types.py",
            generated / "_convert.py",
            ours / "_values.py",
            ours / "_fields.py",
        ):
            (package / source.name).write_text(source.read_text().replace("aioxen", "shapes"))
        return importlib.import_module("shapes._convert")
    finally:
        del sys.path[:2]


TEXT = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"])) | st.binary().map(
    lambda octets: octets.replace(b"\0", b"x").decode("utf-8", "surrogateescape")
)
UUIDS = st.none() | st.uuids()


def unsigned(bits: int) -> st.SearchStrategy[int]:
    return st.integers(0, 2**bits - 1)


def machines(t: Any) -> st.SearchStrategy[Any]:
    colours = st.sampled_from(list(t.Colour))
    point: st.SearchStrategy[Any] = st.builds(
        t.Point, st.integers(-(2**31), 2**31 - 1), unsigned(64), st.booleans(), colours, UUIDS
    )
    disk = st.one_of(
        st.builds(t.Disk, st.none() | TEXT, st.just(t.Backend.NONE), st.none()),
        st.builds(t.Disk, TEXT, st.just(t.Backend.FILE), st.builds(t.DiskFile, TEXT, st.lists(TEXT))),
        st.builds(t.Disk, TEXT, st.just(t.Backend.NUMBER), st.builds(t.DiskNumber, st.integers(-9, 9))),
        st.builds(t.Disk, TEXT, st.just(t.Backend.WORD), st.none() | TEXT),
        st.builds(t.Disk, TEXT, st.just(t.Backend.AMOUNT), unsigned(64)),
        st.builds(t.Disk, TEXT, st.just(t.Backend.SHADE), colours),
        st.builds(t.Disk, TEXT, st.just(t.Backend.SPOT), point),
        st.builds(t.Disk, TEXT, st.just(t.Backend.LATER), st.none()),
    )
    group: st.SearchStrategy[Any] = st.builds(t.Points, st.lists(point))
    return st.builds(
        t.Machine, st.none() | TEXT, unsigned(32), UUIDS, colours, unsigned(16), unsigned(64),
        unsigned(32), st.sampled_from(list(t.Backend)), unsigned(32), st.booleans(), group, st.lists(group),
        st.builds(t.MachinePlace, unsigned(8), TEXT), point, st.lists(point), st.lists(disk),
        st.lists(unsigned(32)), st.lists(colours), st.lists(TEXT), st.lists(st.uuids()),
    )  # fmt: skip


@pytest.mark.skipif(
    Path("/proc/xen/capabilities").exists(), reason="the same everywhere; slow under emulation"
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_round_trip_keeps_the_value(shapes: Any, data: st.DataObject) -> None:
    value = data.draw(machines(shapes.types))
    points = [value.middle, *value.corners, *value.group.all, *(p for g in value.groups for p in g.all)]
    spots = [disk.u for disk in value.disks if isinstance(disk.u, shapes.types.Point)]
    for field in [value, *points, *spots]:  # The conversion from C returns None for a UUID of zeros.
        for name in "identity", "owner":
            if getattr(field, name, None) == UUID(int=0):
                setattr(field, name, None)
    c, keep = shapes.v.ffi.new("libxl_machine *"), list[Any]()
    shapes.put_Machine(c, value, "machine", keep)
    assert shapes.get_Machine(c) == value


def tunings(t: Any) -> st.SearchStrategy[Any]:
    flags: st.SearchStrategy[Any] = st.integers(0, 7).map(lambda n: t.Traits((n & 3) | (n & 4) << 2))
    floats, bits = st.floats(allow_nan=False), st.sets(st.integers(0, 300))
    texts, octets = st.lists(TEXT), st.binary(min_size=6, max_size=6)
    arms = [
        (t.Backend.FILE, st.builds(t.TuningFile, bits)),
        (t.Backend.NUMBER, floats),
        (t.Backend.WORD, texts),
        (t.Backend.AMOUNT, st.binary(min_size=8, max_size=8)),
        (t.Backend.SHADE, flags),
        (t.Backend.SPOT, octets),
        (t.Backend.NONE, st.none()),
        (t.Backend.LATER, st.none()),
    ]
    arm = st.one_of(*(st.tuples(st.just(key), values) for key, values in arms))
    fields = st.tuples(
        flags, st.lists(flags), flags, floats, st.lists(floats), bits, texts,
        st.dictionaries(TEXT, st.none() | TEXT), octets, st.sampled_from([None, True, False]),
        st.binary(min_size=16, max_size=16),
        st.binary(min_size=8, max_size=8), st.lists(bits), st.lists(texts), st.lists(octets),
        st.builds(t.TuningPlace, texts),
    )  # fmt: skip
    return st.tuples(fields, arm).map(lambda drawn: t.Tuning(*drawn[0], *drawn[1]))


@pytest.mark.skipif(
    Path("/proc/xen/capabilities").exists(), reason="the same everywhere; slow under emulation"
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_round_trip_of_types_written_by_hand(shapes: Any, data: st.DataObject) -> None:
    value = data.draw(tunings(shapes.types))
    c, keep = shapes.v.ffi.new("libxl_tuning *"), list[Any]()
    shapes.put_Tuning(c, value, "tuning", keep)
    assert shapes.get_Tuning(c) == value


def test_what_python_lacks_has_its_initial_value(shapes: Any) -> None:
    """Python cannot convert the type of the field `lost`, so the C init function sets the field."""
    t, lib = shapes.types, shapes.lib
    lib.initialised.clear()
    c = shapes.v.ffi.new("libxl_tuning *")
    shapes.put_Tuning(c, t.Tuning(kind=t.Backend.FILE, u=t.TuningFile()), "tuning", [])
    assert lib.initialised == [c, t.Backend.FILE]
    assert not hasattr(t.Tuning(), "lost")


def test_flags_and_fractions(shapes: Any) -> None:
    t = shapes.types
    tuning = t.Tuning()
    assert (tuning.traits, tuning.ratio, tuning.mask) == (t.Traits.FAST | t.Traits.WARM, 0.5, t.Traits(0))
    assert str(tuning.traits) == "fast|warm"
    c = shapes.v.ffi.new("libxl_gauge *", {"ratio": 0.25, "traits": 18, "on": True})
    assert shapes.get_Gauge(c) == t.Gauge(0.25, t.Traits.QUIET | t.Traits.WARM, True)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"cpus": [1]}, TypeError, r"tuning\.cpus: Set is expected, not \[1\]"),
        ({"cpus": {-1}}, ValueError, r"tuning\.cpus: -1 is not between 0 and 1048575"),
        ({"cpus": {1 << 40}}, ValueError, r"tuning\.cpus: 1099511627776 is not between 0 and 1048575"),
        ({"cpus": {"x"}}, TypeError, r"tuning\.cpus: int is expected, not 'x'"),
        ({"nodes": [set(), {True}]}, TypeError, r"tuning\.nodes\[1\]: a number is expected, not True"),
        ({"tags": ["a", 5]}, TypeError, r"tuning\.tags\[1\]: str is expected, not 5"),
        ({"tags": None}, TypeError, r"tuning\.tags: list is expected, not None"),
        ({"settings": ["a"]}, TypeError, r"tuning\.settings: dict is expected, not \['a'\]"),
        ({"settings": {"a": 5}}, TypeError, r"tuning\.settings\['a'\]: str is expected, not 5"),
        ({"mac": b"1234567"}, ValueError, r"tuning\.mac: 7 octets are more than 6"),
        ({"mac": "12"}, TypeError, r"tuning\.mac: bytes is expected, not '12'"),
        ({"shape": b"123456789"}, ValueError, r"tuning\.shape: 9 octets are more than 8"),
        ({"chosen": 1}, TypeError, r"tuning\.chosen: bool is expected, not 1"),
        ({"ratio": "x"}, TypeError, r"tuning\.ratio: 'x': "),
        ({"ratio": True}, TypeError, r"tuning\.ratio: a number is expected, not True"),
        ({"measures": [0, None]}, TypeError, r"tuning\.measures\[1\]: None: "),
        ({"traits": "fast"}, ValueError, r"tuning\.traits: Traits is one of FAST, QUIET, WARM, not 'fast'"),
    ],
)
def test_refused_values_of_types_written_by_hand(
    shapes: Any, change: dict[str, Any], error: type[Exception], words: str
) -> None:
    tuning = shapes.types.Tuning()
    for name, value in change.items():
        setattr(tuning, name, value)
    with pytest.raises(error, match=words):
        shapes.put_Tuning(shapes.v.ffi.new("libxl_tuning *"), tuning, "tuning", [])


def test_a_result_with_only_an_array_is_a_list(shapes: Any) -> None:
    ffi = shapes.v.ffi
    assert shapes.take_points(ffi.new("libxl_points *")) == []
    c = ffi.new("libxl_points *", {"all": (corners := ffi.new("libxl_point[]", 2)), "num_all": 2})
    corners[1].x = -5
    assert [point.x for point in shapes.take_points(c)] == [0, -5]


@pytest.mark.parametrize("length", [3, -1])
def test_an_array_that_is_missing_is_empty(shapes: Any, length: int) -> None:
    new = shapes.v.ffi.new
    assert shapes.take_points(new("libxl_points *", {"num_all": length})) == []
    machine = shapes.get_Machine(new("libxl_machine *", {"num_disks": length, "num_cores": length}))
    assert (machine.disks, machine.cores) == ([], [])


def test_an_unknown_enumeration_value(shapes: Any) -> None:
    c = shapes.v.ffi.new("libxl_point *", {"colour": 1000})
    assert shapes.get_Point(c).colour is shapes.types.Colour.UNKNOWN


def test_defaults_are_those_of_c(shapes: Any) -> None:
    machine = shapes.types.Machine()
    assert (machine.weight, machine.colour, machine.names) == (256, shapes.types.Colour.UNKNOWN, [])
    assert (machine.load, machine.factor, machine.mask) == (2**64 - 1, 16, 2**32 - 1)
    assert (machine.ready, machine.group.all) == (True, [])
    assert aioxen.DomainConfig().b_info.max_vcpus == 0


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"name": "a\0b"}, ValueError, r"machine\.name: a NUL character in 'a\\x00b'"),
        ({"name": 5}, TypeError, r"machine\.name: str is expected, not 5"),
        ({"name": "\ud800"}, ValueError, r"machine\.name: "),
        ({"weight": 65536}, OverflowError, r"machine\.weight: 65536: "),
        ({"weight": -1}, OverflowError, r"machine\.weight: -1: "),
        ({"kind": 9}, ValueError, r"machine\.kind: Backend is one of NONE, .*, not 9"),
        ({"weight": "1"}, TypeError, r"machine\.weight: '1': "),
        ({"weight": True}, TypeError, r"machine\.weight: a number is expected, not True"),
        ({"cores": [0, False]}, TypeError, r"machine\.cores\[1\]: a number is expected, not False"),
        ({"kind": True}, TypeError, r"machine\.kind: a number is expected, not True"),
        ({"colours": [True]}, TypeError, r"machine\.colours\[0\]: a number is expected, not True"),
        ({"ready": 1}, TypeError, r"machine\.ready: bool is expected, not 1"),
        ({"colour": 5}, ValueError, r"machine\.colour: Colour is one of UNKNOWN, RED, BLUE, not 5"),
        ({"identity": "x"}, TypeError, r"machine\.identity: UUID is expected, not 'x'"),
        ({"middle": None}, TypeError, r"machine\.middle: Point is expected, not None"),
        ({"cores": [0, 1 << 32]}, OverflowError, r"machine\.cores\[1\]: "),
        ({"cores": None}, TypeError, r"machine\.cores: list is expected, not None"),
        ({"names": ["", None]}, TypeError, r"machine\.names\[1\]: str is expected, not None"),
        ({"ids": [1]}, TypeError, r"machine\.ids\[0\]: UUID is expected, not 1"),
        ({"colours": [0, 9]}, ValueError, r"machine\.colours\[1\]: Colour is one of "),
        ({"disks": ["x"]}, TypeError, r"machine\.disks\[0\]: Disk is expected, not 'x'"),
    ],
)
def test_refused_values_are_named_by_path(
    shapes: Any, change: dict[str, Any], error: type[Exception], words: str
) -> None:
    machine = shapes.types.Machine()
    for name, value in change.items():
        setattr(machine, name, value)
    with pytest.raises(error, match=words):
        shapes.put_Machine(shapes.v.ffi.new("libxl_machine *"), machine, "machine", [])


def test_a_union_with_the_wrong_arm(shapes: Any) -> None:
    t = shapes.types
    for key, arm, words in [
        (t.Backend.FILE, None, r"disk\.u: DiskFile is expected, not None"),
        (t.Backend.FILE, t.DiskNumber(1), r"disk\.u: DiskFile is expected, not DiskNumber"),
        (t.Backend.NONE, t.DiskNumber(1), r"disk\.u: None is expected, not DiskNumber"),
    ]:
        with pytest.raises(TypeError, match=words):
            shapes.put_Disk(shapes.v.ffi.new("libxl_disk *"), t.Disk("", key, arm), "disk", [])


# The functions that make configurations


def test_pv_and_pvh() -> None:
    identity = UUID(int=5)
    config = aioxen.pv("x", Path("/k"), memory=64, vcpus=2, cmdline="c", ramdisk="/r", uuid=str(identity))
    assert config.c_info == aioxen.DomainCreateInfo(type=aioxen.DomainType.PV, name="x", uuid=identity)
    assert config.b_info == aioxen.DomainBuildInfo(
        max_vcpus=2, max_memkb=65536, target_memkb=65536, kernel="/k", cmdline="c", ramdisk="/r"
    )
    assert aioxen.pvh("x", "/k").c_info.type is aioxen.DomainType.PVH
    c, keep = ffi.new("libxl_domain_config *"), list[Any]()
    _convert.put_DomainConfig(c, config, "d_config", keep)
    assert ffi.string(c.b_info.kernel) == b"/k"
    assert c.c_info.type == 2
    assert _values.uuid_of(c.c_info.uuid.uuid) == identity


@pytest.mark.parametrize(
    ("memory", "kib"), [(1, 1024), ("64M", 65536), ("64 MiB", 65536), ("2g", 2 << 20), ("4096K", 4096)]
)
def test_memory(memory: int | str, kib: int) -> None:
    assert aioxen.pv("x", "/k", memory=memory).b_info.target_memkb == kib


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"memory": "64"}, "memory"),
        ({"memory": "-1M"}, "memory"),
        ({"memory": 0}, "memory"),
        ({"memory": True}, "memory"),
        ({"memory": None}, "memory"),
        ({"kernel": ""}, "kernel"),
        ({"kernel": 5}, "kernel"),
        ({"kernel": b"/k"}, "kernel"),
        ({"ramdisk": 5}, "ramdisk"),
        ({"uuid": "x"}, "uuid"),
    ],
)
def test_a_factory_names_the_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises((TypeError, ValueError), match=f"^{field}: "):
        aioxen.pv(**{**dict[str, Any](name="x", kernel="/k"), **change})


def test_dataclasses_behave_like_dataclasses() -> None:
    """The test covers comparison, repr, pickle, hash and match."""
    create = aioxen.DomainCreateInfo(name="a")
    assert create == aioxen.DomainCreateInfo(name="a") != aioxen.DomainCreateInfo(name="b")
    assert create != aioxen.DomainBuildInfo()
    assert aioxen.DomainDying(1, UUID(int=0)) != aioxen.DomainGone(1, UUID(int=0))
    assert repr(create) == "DomainCreateInfo(name='a')"
    assert repr(aioxen.EventsLost(3)) == "EventsLost(count=3)"
    assert eval(repr(aioxen.DomainBuildInfo()), vars(aioxen.types)) == aioxen.DomainBuildInfo()
    assert pickle.loads(pickle.dumps(create)) == create
    with pytest.raises(TypeError, match="unhashable"):
        hash(create)
    match create:
        case aioxen.DomainCreateInfo(_, hap, name=name):
            assert (hap, name) == (None, "a")


def test_functions_of_the_module_dataclasses() -> None:
    """The test covers replace(), asdict(), astuple() and fields()."""
    config = aioxen.DomainConfig()
    assert dataclasses.is_dataclass(aioxen.DomainConfig)
    assert dataclasses.replace(config.c_info, name="b") == aioxen.DomainCreateInfo(name="b")
    assert dataclasses.asdict(config)["b_info"]["max_vcpus"] == 0
    assert dataclasses.astuple(aioxen.EventsLost(3)) == (3,)
    assert len(dataclasses.fields(aioxen.Counters)) == len(vars(aioxen.Counters)["__slots__"])
    assert dataclasses.replace(aioxen.Counters(*range(11)), jobs=0).threads == 9
    inner, *_ = dataclasses.fields(config)
    assert inner.type is aioxen.DomainCreateInfo
    assert inner.default_factory is not dataclasses.MISSING
    assert inner.default_factory() == config.c_info
    assert inner.default_factory() is not inner.default_factory()
    kind = {f.name: f for f in dataclasses.fields(aioxen.DomainCreateInfo)}
    assert kind["type"].default is aioxen.DomainType.INVALID
    fields = [(f.name, f.type, f.default) for f in dataclasses.fields(aioxen.DomainShutdown)]
    missing = dataclasses.MISSING
    assert fields == [
        ("domid", int, missing),
        ("uuid", UUID, missing),
        ("shutdown_reason", aioxen.ShutdownReason, missing),
    ]


@dataclasses.dataclass
class Marked(aioxen.DomainConfig):
    """A dataclass that derives from a generated class."""

    mark: str = ""


class Named(aioxen.DomainConfig):
    """A plain class that derives from a generated class."""

    def __init__(self, name: str, c_info: aioxen.DomainCreateInfo | None = None) -> None:
        super().__init__(c_info)
        self.c_info.name = name


def test_derived_classes() -> None:
    """Dataclasses and plain classes may derive from generated classes."""
    marked = Marked(mark="a")
    assert marked == Marked(mark="a") != Marked(mark="b")
    assert marked.b_info == aioxen.DomainBuildInfo()
    assert [f.name for f in dataclasses.fields(marked)] == [
        *aioxen.DomainConfig.__match_args__,
        "mark",
    ]
    assert dataclasses.fields(Named("a")) == dataclasses.fields(aioxen.DomainConfig)
    assert dataclasses.asdict(Named("a"))["c_info"]["name"] == "a"


def test_defaults_are_not_shared() -> None:
    one, other = aioxen.DomainConfig(), aioxen.DomainConfig()
    assert one == other
    assert one.c_info is not other.c_info
