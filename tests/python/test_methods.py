# SPDX-License-Identifier: LGPL-2.1-or-later
"""Methods whose only input is a domain. Calls that run in C and calls that run in Python behave alike."""

from __future__ import annotations

import copy
import inspect
import pickle
import weakref
from typing import Any

import aioxen
import pytest


@pytest.mark.parametrize("name", ["domain_pause", "domain_wait_gone", "domain_get_info", "domain_get_name"])
@pytest.mark.parametrize("domid", [True, False, "0", None, 1.0, -1, 2**32])
async def test_an_invalid_domid_is_refused(xen: aioxen.Context, name: str, domid: int) -> None:
    """Each kind of call converts the domid in another place. C converts a positional domid, cffi converts
    the domid of a call with timeout=, and Python converts a domid that is given by keyword."""
    before = xen.counters().operations_started
    for arguments, keywords in ([domid], {}), ([domid], {"limit": 1}), ([], {"domid": domid}):
        with pytest.raises((TypeError, OverflowError), match="domid"):
            getattr(xen, name)(*arguments, **keywords)
    assert xen.counters().operations_started == before


@pytest.mark.parametrize("name", ["domain_pause", "domain_wait_gone", "domain_get_info", "domain_get_name"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, ZeroDivisionError])
@pytest.mark.parametrize("attribute", ["_uuid_bytes", "domid"])
async def test_an_exception_while_the_domain_is_read_is_raised(
    xen: aioxen.Context, name: str, error: type[BaseException], attribute: str
) -> None:
    def fail(_: object) -> None:
        raise error

    members = {"_uuid_bytes": bytes(16), "domid": 0, attribute: property(fail)}
    before = xen.counters().operations_started
    for keywords in {}, {"limit": 1}:
        with pytest.raises(error):
            getattr(xen, name)(type("Interrupted", (), members)(), **keywords)
    assert xen.counters().operations_started == before


@pytest.mark.parametrize("name", ["domain_pause", "domain_wait_gone"])
async def test_a_fast_method_behaves_like_a_method(xen: aioxen.Context, name: str) -> None:
    """The test covers binding, attributes, signature and argument errors."""
    method = getattr(xen, name)
    assert method.__self__ is xen
    assert method.__name__ == name
    wrapped = inspect.unwrap(getattr(aioxen.Context, name))
    assert inspect.signature(method) == inspect.signature(wrapped.__get__(xen))
    for arguments, keywords in ([], {}), ([0, 0], {}), ([0], {"limits": 1}), ([0], {"domid": 0}):
        with pytest.raises(TypeError, match=name):
            method(*arguments, **keywords)
        with pytest.raises(TypeError, match=name):
            getattr(aioxen.Context, name)(xen, *arguments, **keywords)


async def test_a_weak_reference_to_a_fast_method(xen: aioxen.Context) -> None:
    kept = weakref.WeakMethod(xen.domain_pause)
    assert kept() == xen.domain_pause


@pytest.mark.parametrize("name", ["domain_pause", "host_info"])
def test_a_method_is_copied_and_pickled_by_name(name: str) -> None:
    method = getattr(aioxen.Context, name)
    assert copy.copy(method) is method
    assert copy.deepcopy(method) is method
    assert pickle.loads(pickle.dumps(method)) is method


def test_no_incomplete_fast_method_can_be_created() -> None:
    made: Any = type(aioxen.Context.domain_pause)
    for arguments in (), (None, None):
        with pytest.raises(TypeError):
            made.__new__(made, *arguments)


class Numbered:
    """An object that converts to a number, as Domain does."""

    def __index__(self) -> int:
        return 31_999

    __int__ = __index__


@pytest.mark.parametrize("give", [{}, {"limit": None}, {"limit": 60}])
async def test_an_error_names_its_operation_and_domain(xen: aioxen.Context, give: dict[str, Any]) -> None:
    for name in "domain_pause", "domain_destroy":
        for domid in 31_999, Numbered():
            with pytest.raises(aioxen.DomainNotFoundError) as raised:
                await getattr(xen, name)(domid, **give)
            assert (raised.value.operation, raised.value.domid) == (name, 31_999)
