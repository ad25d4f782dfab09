# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes random xl files with keys of every kind. xl accepts most of the keys' values, and refuses some."""

from __future__ import annotations

from hypothesis import strategies as st

number = st.one_of(st.integers(0, 4096), st.sampled_from([0, 1, 2, 8, 64, 1024])).map(str)
boolean = st.sampled_from(["0", "1", "2", "'1'"])
word = st.text("abcdefghij0123456789/._-", min_size=1, max_size=12)
text = st.one_of(
    word.map(repr), st.sampled_from(["'a b'", '"it\'s"', r"'tab\tquote\''", "''", "5", "0x10", "'é'"])
)
strings = st.lists(text, max_size=3).map(lambda items: f"[ {', '.join(items)} ]")


def words(*names: str) -> st.SearchStrategy[str]:
    return st.sampled_from([repr(name) for name in names])


def spec(**parameters: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Returns a strategy for specifications. A specification has some of the parameters, in any order."""
    options = [
        value.map(
            lambda v, name=name: (
                f"{name.replace('_', '-') if '__' not in name else name.replace('__', '_')}={v}"
            )
        )
        for name, value in parameters.items()
    ]
    chosen = st.lists(st.sampled_from(range(len(options))), unique=True).flatmap(
        lambda indices: st.tuples(*(options[i] for i in indices))
    )
    return st.tuples(chosen, st.sampled_from([",", ", "])).map(lambda parts: parts[1].join(parts[0]))


def specs(one: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(one, max_size=3).map(lambda items: "[" + ", ".join(f'"{item}"' for item in items) + "]")


actions = words(
    "destroy", "restart", "rename-restart", "preserve", "coredump-destroy", "coredump-restart", "soft-reset"
)
vdev = st.sampled_from(["xvda", "xvdb1", "hda", "hdc", "sda", "d1p2", "0x301"])
access = st.sampled_from(["w", "rw", "r", "ro", ""])
path = st.sampled_from(["/dev/vg/a", "/images/b.img", "c", "/with space/d", "/e:f"])
prefix = st.sampled_from(
    [
        "phy:",
        "file:",
        "tap:",
        "tap2:",
        "tap:aio:",
        "tapdisk:",
        "raw:",
        "qcow:",
        "qcow2:",
        "tap:qcow2:",
        "vhd:",
        "ioemu:",
        "nbd:",
        "drbd:",
        "iscsi:",
        "enbd:",
    ]
)
format_ = st.sampled_from(["raw", "qcow", "qcow2", "vhd", "qed", ""])
disk = st.one_of(
    st.tuples(prefix, path, vdev, st.sampled_from(["", ":cdrom", ":disk"]), access).map(
        lambda p: f"{p[0]}{p[1]},{p[2]}{p[3]},{p[4]}"
    ),
    st.tuples(path, format_, vdev, access).map(",".join),
    st.tuples(path, format_, vdev).map(lambda p: ",".join(p) + ",,cdrom"),
    st.sampled_from([",hdc:cdrom,r", ",,hdc:cdrom,r", ",,hdc,cdrom", "cdrom,vdev=hdd"]),
    st.tuples(
        st.lists(
            st.sampled_from(
                [
                    "format=qcow2",
                    "access=ro",
                    "devtype=cdrom",
                    "devtype=disk",
                    "cdrom",
                    "backend=drv",
                    "backendtype=phy",
                    "backendtype=qdisk",
                    "script=block-x",
                    "discard",
                    "no-discard",
                    "direct-io-safe",
                    "specification=virtio",
                    "specification=xen",
                ]
            ),
            unique_by=lambda option: option.partition("=")[0],
            max_size=4,
        ),
        path,
    ).map(lambda p: ", ".join([*p[0], "vdev=xvdc", f"target={p[1]}"])),
)
rate = st.tuples(
    st.integers(1, 9999).map(str),
    st.sampled_from(["GB", "MB", "KB", "B", "Gb", "Mb", "Kb", "b"]),
    st.sampled_from(["", "@20ms", "@5us", "@1s", "@2"]),
).map(lambda p: f"{p[0]}{p[1]}/s{p[2]}")
mac = st.lists(st.integers(0, 255), min_size=6, max_size=6).map(
    lambda octets: ":".join(f"{o:02x}" for o in octets)
)
vif = spec(
    mac=mac,
    bridge=word,
    gatewaydev=word,
    ip=st.just("10.0.0.1 fe80::1"),
    script=word,
    backend=word,
    vifname=word,
    model=st.just("e1000"),
    type=st.sampled_from(["vif", "ioemu"]),
    rate=rate,
    mtu=st.just("9000"),
    devid=st.just("4"),
)
bdf = st.tuples(
    st.sampled_from(["", "0000:", "abcd:"]),
    st.integers(0, 255),
    st.integers(0, 31),
    st.sampled_from("01234567*"),
).map(lambda p: f"{p[0]}{p[1]:02x}:{p[2]:02x}.{p[3]}")
pci = st.tuples(
    bdf,
    st.sampled_from(["", "@5", "@1f"]),
    st.lists(
        st.sampled_from(["permissive=1", "msitranslate=1", "seize=0", "power_mgmt=1", "rdm_policy=relaxed"]),
        unique=True,
        max_size=3,
    ),
).map(lambda p: ",".join([p[0] + p[1], *p[2]]))
cpus = st.sampled_from(
    [
        "'0'",
        "'0-1'",
        "'all'",
        "'all,^1'",
        "'1,^0'",
        "'node:0'",
        "['0','1']",
        "[0]",
        "[1, 0, 1]",
        "'nodes:0,^1'",
    ]
)

COMMON: dict[str, st.SearchStrategy[str]] = {
    "memory": number,
    "vcpus": st.integers(1, 8).map(str),
    "on_poweroff": actions,
    "on_reboot": actions,
    "on_watchdog": actions,
    "on_crash": actions,
    "on_soft_reset": actions,
    "ramdisk": text,
    "root": text,
    "extra": text,
    "uuid": st.uuids().map(lambda u: repr(str(u))),
    "disk": specs(disk),
    "vif": specs(vif),
    "pci": specs(pci),
    "p9": specs(st.tuples(word, path).map(lambda p: f"tag={p[0]},security_model=none,path={p[1]}")),
    "hap": boolean,
    "oos": boolean,
    "pool": text,
    "cpu_weight": number,
    "cap": number,
    "extratime": boolean,
    "period": number,
    "slice": number,
    "latency": number,
    "max_grant_frames": number,
    "max_maptrack_frames": number,
    "max_grant_version": st.sampled_from("12"),
    "passthrough": words("disabled", "enabled", "sync_pt", "share_pt", "default"),
    "shadow_memory": number,
    "nomigrate": boolean,
    "tsc_mode": words("default", "native", "always_emulate", "native_paravirt"),
    "rtc_timeoffset": number,
    "localtime": boolean,
    "videoram": number,
    "max_event_channels": number,
    "device_tree": text,
    "driver_domain": boolean,
    "acpi": boolean,
    "bootloader": text,
    "bootloader_args": strings,
    "nestedhvm": boolean,
    "altp2m": words("disabled", "mixed", "external", "limited"),
    "vmtrace_buf_kb": number,
    "ioports": specs(st.sampled_from(["2f8", "2f8-2ff", "60", "0x3f8"])),
    "irqs": st.lists(number, max_size=3).map(lambda n: f"[{','.join(n)}]"),
    "iomem": specs(st.sampled_from(["fd000,1", "fd000,2@100", "0xfe000,0x10"])),
    "dtdev": strings,
    "pvcalls": specs(spec(backend=word)),
    "vtpm": specs(word.map(lambda w: f"backend={w}")),
    "channel": specs(
        st.tuples(st.sampled_from(["pty", "socket,path=/run/s", "pty,backend=d"]), word).map(
            lambda p: f"name={p[1]}, connection={p[0]}"
        )
    ),
    "vdispl": specs(
        st.sampled_from(["connectors=a:1x2", "backend=d,be-alloc=1,connectors=id0:1920x1080;id1:800x600"])
    ),
    "usbctrl": specs(
        spec(
            type=st.sampled_from(["pv", "qusb", "devicemodel", "auto"]),
            version=st.sampled_from("123"),
            ports=number,
        )
    ),
    "usbdev": specs(
        st.sampled_from(
            ["type=hostdev,hostbus=1,hostaddr=2", "type=hostdev,hostbus=3,hostaddr=4,controller=1,port=2"]
        )
    ),
    "vkb": specs(
        st.sampled_from(
            [
                "backend-type=qemu",
                "backend-type=linux,backend=d,unique-id=u,width=3,height=4",
                "backend-type=qemu,feature-multi-touch=1,multi-touch-width=9,feature-raw-pointer=1",
            ]
        )
    ),
    "device_model_override": text,
    "device_model_version": words("qemu-xen", "qemu-xen-traditional"),
    "device_model_stubdomain_override": boolean,
    "device_model_stubdomain_seclabel": text,
    "device_model_user": text,
    "stubdomain_kernel": text,
    "stubdomain_cmdline": text,
    "stubdomain_ramdisk": text,
    "stubdomain_memory": number,
    "device_model_args": strings,
    "device_model_args_pv": strings,
    "device_model_args_hvm": strings,
    "dm_restrict": boolean,
    "gic_version": words("v2", "v3", "default"),
    "tee": words("none", "optee"),
    "vuart": words("sbsa_uart"),
    "msr_relaxed": boolean,
    "vpmu": boolean,
    "xend_suspend_evtchn_compat": boolean,
    "seclabel": text,
    "init_seclabel": text,
    "cpus": cpus,
    "cpus_soft": cpus,
    "cpuid": st.sampled_from(
        [
            "'host,tm=0,sse3=k'",
            "'host,family=15,model=26,stepping=3'",
            "'host,avx2=0,nc=3'",
            '["1:ecx=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx0"]',
            "['7,0:ebx=0xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx']",
        ]
    ),
    "vsnd": st.sampled_from(
        [
            "[['CARD, short-name=Main', 'PCM, name=a', 'STREAM, unique-id=0, type=c'],"
            " ['CARD', 'PCM, channels-max=2']]",
            "[['CARD, sample-rates=8000;44100, sample-formats=s16_le;u8']]",
        ]
    ),
}
DISPLAY: dict[str, st.SearchStrategy[str]] = {
    "vnc": boolean,
    "vnclisten": word.map(repr),
    "vncpasswd": text,
    "vncdisplay": number,
    "vncunused": boolean,
    "sdl": boolean,
    "opengl": boolean,
    "keymap": text,
}
PV: dict[str, st.SearchStrategy[str]] = {
    "e820_host": boolean,
    "vfb": specs(
        spec(
            vnc=st.sampled_from("01"),
            vnclisten=word,
            vncpasswd=word,
            vncdisplay=number,
            vncunused=st.sampled_from("01"),
            sdl=st.sampled_from("01"),
            keymap=word,
        )
    ),
}
PVH: dict[str, st.SearchStrategy[str]] = {
    "pvshim": boolean,
    "pvshim_path": text,
    "pvshim_cmdline": text,
    "pvshim_extra": text,
    "timer_mode": words(
        "delay_for_missed_ticks",
        "no_delay_for_missed_ticks",
        "no_missed_ticks_pending",
        "one_missed_tick_pending",
    ),
}
HVM: dict[str, st.SearchStrategy[str]] = {
    "timer_mode": PVH["timer_mode"],
    "firmware": words("bios", "uefi", "seabios", "rombios", "ovmf", "/fw"),
    "firmware_override": text,
    "bios_path_override": text,
    "bios": words("rombios", "seabios", "ovmf"),
    "pae": boolean,
    "acpi_s3": boolean,
    "acpi_s4": boolean,
    "acpi_laptop_slate": boolean,
    "nx": boolean,
    "hpet": boolean,
    "vpt_align": boolean,
    "apic": boolean,
    "viridian": st.sampled_from(
        ["1", "0", "['base','freq']", "['all','!freq']", "['defaults','stimer']", "['!base','base']"]
    ),
    "mmio_hole": st.integers(256, 3840).map(str),
    "altp2mhvm": boolean,
    "smbios_firmware": text,
    "acpi_firmware": text,
    "rdm_mem_boundary": number,
    "mca_caps": st.sampled_from(["['lmce']", "[]"]),
    "vga": words("stdvga", "cirrus", "none", "qxl"),
    "stdvga": boolean,
    "hdtype": words("ide", "ahci"),
    "spice": boolean,
    "spiceport": number,
    "spicetls_port": number,
    "spicehost": text,
    "spicedisable_ticketing": boolean,
    "spicepasswd": text,
    "spiceagent_mouse": boolean,
    "spicevdagent": boolean,
    "spice_clipboard_sharing": boolean,
    "spiceusbredirection": st.sampled_from("01234"),
    "spice_image_compression": text,
    "spice_streaming_video": text,
    "nographic": boolean,
    "gfx_passthru": st.sampled_from(["0", "1", "'igd'", "'default'"]),
    "serial": st.one_of(text, strings),
    "boot": text,
    "usb": boolean,
    "usbversion": st.sampled_from("123"),
    "usbdevice": st.one_of(text, strings),
    "vkb_device": boolean,
    "soundhw": text,
    "xen_platform_pci": boolean,
    "vendor_device": words("none", "xenserver"),
    "ms_vm_genid": words("none"),
}
TYPES = {"pv": COMMON | DISPLAY | PV, "pvh": COMMON | PVH, "hvm": COMMON | DISPLAY | HVM}


@st.composite
def files(draw: st.DrawFn) -> str:
    kind = draw(st.sampled_from(sorted(TYPES)))
    keys = TYPES[kind]
    chosen = draw(st.lists(st.sampled_from(sorted(keys)), unique=True, max_size=10))
    lines = ["name = 'g'", f"type = '{kind}'", "vcpus = 2"]
    if kind != "hvm":
        lines.append("kernel = '/boot/k'")
    lines += [f"{key} = {draw(keys[key])}" for key in chosen if key != "vcpus"]
    ends = draw(st.sampled_from(["\n", "\n\n", " # comment\n", ";\n"]))
    return ends.join(draw(st.permutations(lines))) + draw(st.sampled_from(["", "\n"]))
