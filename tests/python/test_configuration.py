# SPDX-License-Identifier: LGPL-2.1-or-later
"""The configuration that is stored for a domain says what the domain is now, and can make another domain."""

from __future__ import annotations

import uuid
from pathlib import Path

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
    config.c_info.name = f"{config.c_info.name}-again"
    config.c_info.uuid = uuid.UUID(int=0)
    second = await xen.domain_create(config)
    again = await second.configuration()
    config.c_info.uuid = second.uuid
    assert again == config
    await second.destroy()
    await first.destroy()


async def test_a_removed_disk_is_not_in_the_configuration(
    xen: aioxen.Context, guest: Configure, sim: object, nothing_left: None, tmp_path: Path
) -> None:
    config = guest("b")
    for name in "xvda", "xvdb":
        image = tmp_path / name
        image.write_bytes(bytes(1 << 20))
        config.disks.append(aioxen.disk(image, name))
    dom = await xen.domain_create(config)
    assert [disk.vdev for disk in (await dom.configuration()).disks] == ["xvda", "xvdb"]
    await dom.disk_destroy(config.disks[0])
    assert [disk.vdev for disk in (await dom.configuration()).disks] == ["xvdb"]
    await dom.destroy()


async def test_a_domain_without_a_stored_configuration(xen: aioxen.Context) -> None:
    with pytest.raises(aioxen.DomainNotFoundError):
        await xen.domain_configuration(4000)


async def test_a_configuration_becomes_a_file_of_xl(
    xen: aioxen.Context, guest: Configure, tmp_path: Path
) -> None:
    """What a domain is now can be written as a file of xl's, and made again from it."""
    image = tmp_path / "xvda"
    image.write_bytes(bytes(1 << 20))
    dom = await xen.domain_create(guest("b", disks=[aioxen.disk(image, "xvda")]))
    text = aioxen.dumps(await dom.configuration())
    await dom.destroy()
    config = aioxen.loads(text)
    assert (config.c_info.uuid, config.b_info.cmdline) == (dom.uuid, "b")
    async with xen.domain_create(config) as again:
        assert aioxen.dumps(await again.configuration()) == text
