# SPDX-License-Identifier: LGPL-2.1-or-later
"""The configuration that is stored for a domain says what the domain is now, and can make another domain."""

from __future__ import annotations

import uuid

import aioxen
import pytest
from worldly import Configure


async def test_a_domain_can_be_made_again_from_its_configuration(
    xen: aioxen.Context, guest: Configure
) -> None:
    first = await xen.domain_create(guest("b"))
    config = await first.configuration()
    assert config.c_info.uuid == first.uuid
    assert config.b_info.cmdline == "b"
    config.c_info.name += "-again"
    config.c_info.uuid = uuid.UUID(int=0)
    second = await xen.domain_create(config)
    again = await second.configuration()
    config.c_info.uuid = second.uuid
    assert again == config
    await second.destroy()
    await first.destroy()


async def test_a_domain_without_a_stored_configuration(xen: aioxen.Context) -> None:
    with pytest.raises(aioxen.DomainNotFoundError):
        await xen.domain_configuration(4000)
