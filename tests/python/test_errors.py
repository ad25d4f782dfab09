# SPDX-License-Identifier: LGPL-2.1-or-later
"""The classes and messages of errors. An operation that fails leaves nothing behind."""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aioxen
import pytest
from aioxen import Operation, errors
from aioxen._base import error_of
from aioxen._native import lib
from worldly import Configure

Sim = Callable[..., str]


# The classes of errors


@pytest.mark.parametrize("rc", sorted(errors.BY_RC))
def test_every_code_has_its_class(rc: int) -> None:
    error = error_of(rc, "words", "domain_pause", 7)
    assert type(error) is errors.BY_RC[rc]
    assert (error.rc, error.message, error.operation, error.domid) == (rc, "words", "domain_pause", 7)
    assert str(error) == "domain_pause of domain 7: words"
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.__dict__) == (type(error), error.__dict__)
    described = str(type(error)())
    assert described.split() == (type(error).__doc__ or "").split()
    assert "\n" not in described


def test_repr_names_the_operation_and_the_domid() -> None:
    assert (
        repr(error_of(-3, "words", "domain_pause", 7))
        == "FailedError('words', operation='domain_pause', domid=7)"
    )
    assert repr(error_of(-3, "words", "host_info")) == "FailedError('words', operation='host_info')"
    assert repr(aioxen.FailedError("words")) == "FailedError('words')"


def test_all_errors_have_one_base_and_can_be_pickled() -> None:
    offered = [getattr(aioxen, name) for name in dir(aioxen) if name[0] != "_"]
    kinds = [
        k
        for k in offered
        if isinstance(k, type) and issubclass(k, Exception) and k.__base__ is not UserWarning
    ]
    assert len(kinds) > len(errors.BY_RC)
    for kind in kinds:
        assert issubclass(kind, aioxen.Error)
        error = kind("words")
        error.domid = 7
        error.add_note("a note")
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy), copy.__dict__) == (kind, str(error), error.__dict__)


def test_every_code_of_c_has_a_class() -> None:
    codes = {name: getattr(lib, name) for name in dir(lib) if re.fullmatch(r"ERROR_[A-Z_]+", name)}
    assert set(codes.values()) == set(errors.BY_RC)


def test_a_code_of_a_newer_library() -> None:
    error = error_of(-999, "")
    assert (type(error), error.rc, str(error)) == (aioxen.Error, -999, "error -999")


def test_errors_derive_from_pythons_classes() -> None:
    for ours, pythons in [
        (aioxen.TimedOutError, TimeoutError),
        (aioxen.GuestTimedOutError, TimeoutError),
        (aioxen.DomainNotFoundError, KeyError),
        (aioxen.NoPermissionError, PermissionError),
        (aioxen.InvalidError, ValueError),
        (aioxen.NoMemoryError, MemoryError),
    ]:
        with pytest.raises(pythons):
            raise ours("words")


# Errors because of bad input


def truncated(kernel: Path, folder: Path) -> Path:
    path = folder / "truncated"
    path.write_bytes(kernel.read_bytes()[:600])
    return path


def text(kernel: Path, folder: Path) -> Path:
    path = folder / "text"
    path.write_text("not a kernel\n" * 1000)
    return path


def missing(kernel: Path, folder: Path) -> Path:
    return folder / "missing"


@pytest.mark.parametrize("machine", ["pv", "pvh"])
@pytest.mark.parametrize("spoil", [truncated, text, missing])
async def test_a_bad_kernel(
    xen: aioxen.Context, kernel: Path, tmp_path: Path, machine: str, spoil: Callable[[Path, Path], Path]
) -> None:
    path = spoil(kernel, tmp_path)
    make = aioxen.pv if machine == "pv" else aioxen.pvh
    with pytest.raises(aioxen.KernelError) as raised:
        await xen.domain_create(make("bad", path, memory="24M"))
    assert str(path) in raised.value.message
    assert "d_config.b_info.kernel" in raised.value.message
    assert raised.value.operation == "domain_create"


async def test_the_longest_path(xen: aioxen.Context) -> None:
    path = "/n" * 2047
    assert len(path) < 4096
    with pytest.raises(aioxen.KernelError) as raised:
        await xen.domain_create(aioxen.pv("bad", path, memory="24M"))
    cause = f"d_config.b_info.kernel: {path}: No such file or directory"
    assert raised.value.message == f"{cause} (domain_create_new 'bad', phase build)"
    assert str(raised.value) == raised.value.message  # str() does not name the operation a second time.


async def test_a_missing_ramdisk(xen: aioxen.Context, guest: Configure, tmp_path: Path) -> None:
    with pytest.raises(aioxen.Error) as raised:
        await xen.domain_create(guest(ramdisk=tmp_path / "missing"))
    assert str(tmp_path / "missing") in raised.value.message


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"memory": 1}, aioxen.InvalidError, "target_memkb"),
        ({"memory": "16383G"}, aioxen.NoMemoryForGuestError, "memkb"),
        ({"memory": "9999999G"}, aioxen.InvalidError, "memkb"),
        ({"vcpus": 1000}, aioxen.InvalidError, "max_vcpus"),
        ({"name": "a/b"}, aioxen.InvalidError, "name"),
        ({"name": "a\nb"}, aioxen.InvalidError, "name"),
        ({"name": "Domain-0"}, aioxen.DomainExistsError, "Domain-0"),
    ],
)
async def test_a_bad_configuration(
    xen: aioxen.Context, guest: Configure, change: dict[str, object], error: type[aioxen.Error], words: str
) -> None:
    with pytest.raises(error) as raised:
        await xen.domain_create(guest(**change))
    assert words in raised.value.message


async def test_a_name_twice(xen: aioxen.Context, guest: Configure) -> None:
    dom = await xen.domain_create(guest(name="twice"))
    with pytest.raises(aioxen.DomainExistsError, match="twice"):
        await xen.domain_create(guest(name="twice"))
    await dom.destroy()


async def test_an_empty_configuration(xen: aioxen.Context) -> None:
    with pytest.raises(aioxen.InvalidError, match="d_config"):
        await xen.domain_create(aioxen.DomainConfig())


async def test_no_such_domain(xen: aioxen.Context) -> None:
    operations: list[Callable[[int], Operation[Any]]] = [
        xen.domain_pause, xen.domain_unpause, xen.domain_shutdown, xen.domain_reboot, xen.domain_destroy,
        xen.domain_wait_shutdown, xen.domain_get_info, xen.domain_get_name,
    ]  # fmt: skip
    for operation in operations:
        with pytest.raises(aioxen.DomainNotFoundError) as raised:
            await operation(31999)
        assert (raised.value.domid, raised.value.operation) == (31999, operation.__name__)


async def test_a_domain_in_the_wrong_state(xen: aioxen.Context, guest: Configure) -> None:
    """The message says in plain words what is wrong. A domain can be paused several times, up to 255."""
    with pytest.raises(aioxen.InvalidError, match="domain 0 cannot pause itself"):
        await xen.domain_pause(0)
    async with xen.domain_create(guest()) as dom:
        await dom.unpause()
        with pytest.raises(aioxen.NotPausedError, match=rf"domid: domain {dom.domid} is not paused"):
            await dom.unpause()
        for _ in range(2):
            await dom.pause()
        for _ in range(2):
            await dom.unpause()
        with pytest.raises(aioxen.NotPausedError):
            await dom.unpause()
        for _ in range(255):
            await dom.pause()
        with pytest.raises(aioxen.InvalidError, match="is paused 255 times already"):
            await dom.pause()


async def test_domain_0_cannot_be_destroyed(xen: aioxen.Context) -> None:
    with pytest.raises(aioxen.InvalidError):
        await xen.domain_destroy(0)


@pytest.mark.parametrize("domid", [-1, 1 << 32, "1", 1.0, None])
async def test_an_invalid_domid_is_named(xen: aioxen.Context, domid: int) -> None:
    operations: list[Callable[[int], Operation[Any]]] = [xen.domain_pause, xen.domain_shutdown]
    for operation in operations:
        with pytest.raises((TypeError, OverflowError), match=rf"{operation.__name__}\(domid={domid!r}\): "):
            operation(domid)
    assert xen.counters().operations_started == 0


# Errors because of faults of the hypervisor


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("domctl.createdomain:1:EPERM", aioxen.NoPermissionError),
        ("domctl.createdomain:1:ENOMEM", aioxen.Error),
        ("memory_op.populate_physmap:1:ENOMEM", aioxen.Error),
        ("domctl.max_vcpus:1:EINVAL", aioxen.Error),
    ],
)
async def test_a_creation_that_fails_in_the_middle(
    xen: aioxen.Context, guest: Configure, sim: Sim, fault: str, error: type[aioxen.Error]
) -> None:
    sim("fault", "add", "--pid", str(os.getpid()), fault)
    with pytest.raises(error):
        await xen.domain_create(guest())


async def test_an_instant_operation_that_fails(xen: aioxen.Context, sim: Sim) -> None:
    sim("fault", "add", "--pid", str(os.getpid()), "domctl.pausedomain:1:EPERM")
    with pytest.raises(aioxen.NoPermissionError) as raised:
        await xen.domain_pause(0)
    assert isinstance(raised.value, PermissionError)
    assert raised.value.domid == 0
