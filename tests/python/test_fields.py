# SPDX-License-Identifier: LGPL-2.1-or-later
"""The library carries out each field of a domain's configuration, or it refuses the field by its path. It
ignores no field.

The list of fields comes from the IDL. A field that the IDL marks as unsupported is refused with NI. Any other
field is refused, or it changes the hypercalls, nodes, interfaces or QEMU's command line of a creation.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fields import FIELDS, Document, put, value_of
from limits import scaled

HERE = Path(__file__).parent

WITHOUT_EFFECT = {
    "c_info.hap": "only PVH and HVM have it; tests/c/settings.c",
    "c_info.run_hotplug_scripts": "only the default is implemented; test_claims.py",
    "b_info.claim_mode": "the claim is gone when the domain is built; test_claims.py",
    "b_info.cmdline": "it is in the guest's memory; each guest of the tests obeys it",
    "b_info.cpuid": "the policy depends on the processor; tests/c/placed.c",
    "b_info.disable_migrate": "the policy depends on the processor; tests/c/placed.c",
    "b_info.localtime": "depends on the time zone; tests/c/settings.c",
    "b_info.numa_placement": "needs several NUMA nodes; tests/c/sim/numa.c",
    "b_info.bootloader_args": "needs a boot loader; test_boot_loader.py",
    "b_info.u.pv.bootloader": "errors name b_info.bootloader, to which it is moved",
    "b_info.u.pv.bootloader_args": "needs a boot loader",
    "b_info.u.pv.kernel": "used if b_info.kernel is not given; tests/differential",
    "b_info.u.pv.cmdline": "used if b_info.cmdline is not given; tests/differential",
    "b_info.u.pv.ramdisk": "errors name b_info.ramdisk, to which it is moved",
    "nics[0].model": "the model of an emulated card, which only HVM domains have; test_hvm.py",
    "b_info.apic": "it is in the guest's memory; test_hvm.py",
    "b_info.u.hvm.apic": "it is in the guest's memory; test_hvm.py",
    "b_info.device_model_version": "qemu_xen is the only value that is implemented",
    "b_info.u.hvm.nx": "its value is the only one that is implemented",
    "b_info.u.hvm.pae": "the policy depends on the processor",
    "b_info.u.hvm.vnc.passwd": "QEMU gets it by QMP; test_hvm.py",
    "pcidevs[0].name": "used if the place of the device is not given; test_pci.py",
    "pcidevs[0].seize": "needs a device that is not assignable; tests/c/sim/pci.c",
}
"""The fields whose effect this test cannot see. For each field, the text gives the reason, or the place
where the effect is tested."""

HVM: dict[str, object] = {
    "c_info.type": "hvm",
    "b_info.max_memkb": 64 << 10,
    "b_info.target_memkb": 64 << 10,
    "vfbs": [],
    "disks[0].readwrite": 1,
}

PCI: dict[str, object] = {"c_info.passthrough": "enabled", "pcidevs[0].bus": 1}

ABSENT = {"pcidevs[0].dev": "no device 0000:01:07.0", "pcidevs[0].domain": "no device 0007:01:00.0"}
"""The expected error messages by field. With another value of one of these fields, the configuration names a
PCI device that the machine does not have."""

SPECIAL: dict[str, tuple[object, dict[str, object]]] = {
    "b_info.avail_vcpus": ([0], {"b_info.max_vcpus": 2}),
    "b_info.max_memkb": (32 << 10, {}),
    "b_info.target_memkb": (20 << 10, {}),
    "b_info.max_grant_version": (1, {}),
    "b_info.ioports[0].first": (7, {"b_info.ioports[0].number": 1}),
    "b_info.iomem[0].start": (7, {"b_info.iomem[0].number": 1}),
    "b_info.iomem[0].gfn": (7, {"b_info.iomem[0].number": 1, "c_info.type": "pvh"}),
    "b_info.device_model_stubdomain": (None, HVM),
    "b_info.device_model_user": (None, HVM),
    "b_info.device_model": (None, HVM),
    "b_info.extra": (["-nodefaults"], HVM),
    "b_info.acpi": ("False", HVM),
    "b_info.apic": ("False", HVM),
    "b_info.timer_mode": (None, HVM),
    "b_info.nested_hvm": (None, HVM),
    "b_info.dm_restrict": (None, HVM),
    "b_info.altp2m": (None, HVM),
    "b_info.video_memkb": (9 << 10, HVM),
    "b_info.u.hvm.acpi_laptop_slate": (None, HVM),
    "b_info.u.hvm.acpi_firmware": (None, HVM),
    "b_info.u.hvm.vkb_device": ("False", HVM | {"vkbs": []}),
    **{
        f"b_info.u.hvm.{field}": ("False", HVM)
        for field in (
            *("pae", "apic", "acpi", "acpi_s3", "acpi_s4", "hpet", "vpt_align"),
            *("xen_platform_pci", "vnc.enable", "vnc.findunused"),
        )
    },
    "b_info.u.hvm.vnc.listen": ("127.0.0.9", HVM),
    "b_info.u.hvm.sdl.display": (None, HVM | {"b_info.u.hvm.sdl.enable": "True"}),
    "b_info.u.hvm.sdl.xauthority": (None, HVM | {"b_info.u.hvm.sdl.enable": "True"}),
    "b_info.u.hvm.sdl.opengl": (None, HVM | {"b_info.u.hvm.sdl.enable": "True"}),
    "b_info.u.hvm.nographic": (None, HVM | {"b_info.u.hvm.vnc.enable": "False"}),
    "b_info.u.hvm.boot": ("dc", HVM),
    "b_info.u.hvm.hdtype": ("ahci", HVM),
    "b_info.u.hvm.usbversion": (2, HVM),
    "b_info.u.hvm.mmio_hole_memkb": (512 << 10, HVM),
    "b_info.u.hvm.mca_caps": (1, HVM),
    "b_info.u.hvm.viridian_disable": ([1], HVM | {"b_info.u.hvm.viridian": "True"}),
    "b_info.u.hvm": (None, HVM),
    "b_info.u.pvh": (None, {"c_info.type": "pvh"}),
    "disks[0].trusted": ("False", {}),
    "nics[0].nictype": ("vif_ioemu", {}),
    "nics[0].trusted": ("False", {}),
    "nics[0].rate_bytes_per_interval": (7, {"nics[0].rate_interval_usecs": 9}),
    "pcidevs[0].func": (1, PCI),
    "pcidevs[0].bus": (2, PCI),
    "pcidevs[0].vfunc_mask": ((1 << 32) - 1, PCI),
    "pcidevs[0]": (None, PCI),
    "vfbs[0].vnc.enable": ("False", {}),
    "vfbs[0].vnc.findunused": ("False", {}),
}
"""By the beginning of a field's path: the value that the test sets, and the other settings that the field
needs. The value differs from the default. None means value_of()."""

NOTHING: tuple[object, dict[str, object]] = (None, {})


def variant(base: Document, path: str, field: Document) -> tuple[Document, Document]:
    """Returns two configurations. The first lacks the field, and the second has it."""
    value, needs = next((SPECIAL[start] for start in SPECIAL if path.startswith(start)), NOTHING)
    for at, other in needs.items():
        base = put(base, at, other)
    return base, put(base, path, value_of(field) if value is None else value)


def observe(configs: list[Document], folder: Path) -> list[dict[str, Any]]:
    """Creates a domain from each configuration. Returns the things that each creation has made."""
    source, trace = folder / "configs", folder / "trace"
    texts = [json.dumps(config) for config in configs]
    different = list(dict.fromkeys(texts))
    source.write_text(f"[{','.join(different)}]")
    trace.touch()
    done = subprocess.run(
        [sys.executable, str(HERE / "observe_fields.py"), str(source)],
        stdout=subprocess.PIPE,
        env=os.environ | {"AIOXEN_SIM_TRACE": str(trace)},
        timeout=scaled(90),
        check=True,
    )
    observed: dict[str, dict[str, Any]] = dict(zip(different, json.loads(done.stdout), strict=True))
    return [observed[text] for text in texts]


@pytest.fixture
def base(kernel: Path, tmp_path: Path, sim: object) -> Document:
    image = tmp_path / "image"
    image.write_bytes(bytes(1 << 16))
    return {
        "c_info": {"type": "pv", "name": "fields", "uuid": "00000000-0000-0000-0000-000000000009"},
        "b_info": {"max_memkb": 24 << 10, "target_memkb": 24 << 10, "kernel": str(kernel), "cmdline": "b"},
        "disks": [{"vdev": "xvda", "pdev_path": str(image)}],
        "nics": [{"devid": 0, "mac": "00:16:3e:00:00:01"}],
        "vfbs": [{"devid": 0}],
        "vkbs": [{"devid": 0}],
        "vtpms": [{"devid": 0, "uuid": "00000000-0000-0000-0000-000000000008"}],
        "p9s": [{"devid": 0, "tag": "share", "path": str(tmp_path)}],
        "vdispls": [{"devid": 0, "connectors": [{"unique_id": "a", "width": 1, "height": 1}]}],
        "vsnds": [{"devid": 0, "pcms": [{"name": "a", "streams": [{"unique_id": "a"}]}]}],
        "pvcallsifs": [{"devid": 0}],
    }


def names(words: str, path: str) -> bool:
    """Returns whether a message names the path of a field, in the form that messages have."""
    path = re.sub(r"\.u\.(\w+)", r".type.\1", path)
    device, _, field = path.partition("].")
    forms = (
        path,
        ABSENT.get(path),
        f"{device}]: {field}",
        path.removesuffix("[0]"),
        re.sub(r"\[0\].*", "", path),
    )
    return any(form in words for form in forms if form)


def test_an_unsupported_field_is_refused_by_its_path(base: Document, tmp_path: Path) -> None:
    refused = {path: field for path, field in FIELDS.items() if field.get("unsupported")}
    assert "b_info.arch_arm.gic_version" in refused
    outcomes = observe([variant(base, path, field)[1] for path, field in refused.items()], tmp_path)
    for path, outcome in zip(refused, outcomes, strict=True):
        assert outcome.get("error") == "NotSupportedError", f"{path} is ignored"
        assert names(outcome["words"], path), f"{path}: {outcome['words']}"


def test_each_other_field_has_an_effect(base: Document, tmp_path: Path) -> None:
    others = {
        path: field
        for path, field in FIELDS.items()
        if not field.get("unsupported") and path not in WITHOUT_EFFECT
    }
    pairs = [variant(base, path, field) for path, field in others.items()]
    outcomes = observe([config for pair in pairs for config in pair], tmp_path)
    ignored = []
    for path, without, with_it in zip(others, outcomes[::2], outcomes[1::2], strict=True):
        assert "seen" in without, f"{path}: {without}"
        if "error" in with_it:
            assert with_it["error"] != "AbortedError"
            assert names(with_it["words"], path), f"{path}: {with_it['words']}"
        elif with_it["seen"] == without["seen"]:
            ignored.append(path)
    assert not ignored


def test_the_table_names_fields_that_exist() -> None:
    assert set(WITHOUT_EFFECT) <= set(FIELDS)
    assert all(any(path.startswith(start) for path in FIELDS) for start in SPECIAL)
