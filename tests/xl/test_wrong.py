# SPDX-License-Identifier: LGPL-2.1-or-later
"""Errors and warnings have the right places and messages. xl refuses the files with errors, and accepts the
other files.

`|` in a text marks the place (line and column) that the message must name.
"""

from __future__ import annotations

from pathlib import Path

import aioxen
import pytest
from xl_support import HOST, Xl

BASE = 'name = "g"\nkernel = "/k"\n'

# The texts that both xl and this library refuse.
ERRORS = [
    ("|Memory = 1", "capital letter"),
    ("memory = |-1", "not a Python program"),
    ("memory = 1 |vcpus = 2", "the end of the line is expected, not vcpus"),
    ("memory =|\n", "not the end of the line"),
    ("memory |1", "= or += is expected"),
    ("extra = |'x", "no closing '"),
    (r"extra = 'a|\q'", r"unknown escape \q"),
    ("disk = [ 'a,raw,xvda',|, ]", "a list or ']' is expected, not ,"),
    ("disk = [ 'a,raw,xvda' |'b' ]", "',' or ']' is expected"),
    ("x = 1|\r", "carriage return"),
    ("extra = 'a'\n|extra += [ 'b' ]", "cannot join"),
    ("type = '|xen'", "'xen' is not one of pv, pvh, hvm"),
    ("type = 'pv'\nbuilder = '|hvm'", "contradicts type"),
    ("uuid = '|1'", "a UUID is expected"),
    ("vcpus = 4\nmaxvcpus = |2", "less than vcpus"),
    ("on_crash = '|explode'", "destroy, restart, rename-restart"),
    ("tsc_mode = '|x'", "'x' is not one of default, always_emulate"),
    ("disk = [ '|phy:/a' ]", "vdev is missing"),
    ("disk = [ '/a,raw,xvda,|x' ]", "access: 'x' is not one of"),
    ("disk = [ '/a,|ray,xvda' ]", "format: 'ray' is not one of"),
    ("disk = [ '|foo:/a,xvda,w' ]", "unknown prefix 'foo:'"),
    ("disk = [ '/a,raw,xvda,w,|b' ]", "too many words"),
    ("disk = [ 'vdev=xvda,|formet=raw,target=/a' ]", "unknown parameter 'formet'; is 'format' meant?"),
    ("disk = [ 'vdev=xvda,vdev=|xvdb,target=/a' ]", "vdev is given twice"),
    ("disk = [ 'phy:/a,hdc:|tape,r' ]", "'tape' is not one of cdrom, disk"),
    ("vif = [ 'rate=10|mb/s' ]", "a number with GB/s"),
    ("vif = [ 'rate=1MB/s@|5x' ]", "a time with us, ms or s"),
    ("vif = [ 'mtu=|big' ]", "a number is expected"),
    ("pci = [ '|0' ]", "DOMAIN:BUS:DEVICE.FUNCTION"),
    ("pci = [ '1:0.0,|colour=red' ]", "unknown parameter 'colour'"),
    ("pci = [ '1:0.0@|40' ]", "a hexadecimal number from 0 to 1f"),
    ("p9 = [ '|tag=a,path=/b' ]", "security_model is missing"),
    ("p9 = [ 'tag=a,path=/b,security_model=none,|typ=x' ]", "unknown parameter 'typ'"),
    ("vcpus = 2\ncpus = '0,|x'", "processors such as 0-3"),
    ("vcpus = 2\ncpus = '|0,^0'", "no processor is left"),
    ("vkb = [ '|unique-id=a' ]", "backend-type is missing"),
    ("vtpm = [ '|' ]", "backend is missing"),
    ("channel = [ '|name=x' ]", "connection is missing"),
    ("channel = [ 'name=x,connection=|sock' ]", "'sock' is not one of pty, socket"),
    ("usbctrl = [ 'type=|fast' ]", "'fast' is not one of auto, pv"),
    ("vdispl = [ 'connectors=a:1x2;|b:1x' ]", "ID:WIDTHxHEIGHT"),
    ("vsnd = [ ['CARD, sample-formats=s8;|s99'] ]", "unknown sample format"),
    ("disk = [ '/a,|ray,xvda' ]", "format: 'ray' is not one of raw, qcow, qcow2, vhd, qed, empty"),
    ("disk = [ '/a,raw,xvda,w,colo-port=|x' ]", "colo-port: a number is expected"),
    ("disk = [ '/a,raw,xvda,w,|discard=1' ]", "disk: discard has no value"),
    ("disk = [ '|vdev=xvda' ]", "target is missing"),
    ("pci = [ '1:0.0,rdm_policy=|x' ]", "'x' is not one of strict, relaxed"),
    ("pci = [ '1:0.0,vslot=|x' ]", "a hexadecimal number from 0 to 1f"),
    ("pci = [ '|permissive=1' ]", "either bdf or name is expected"),
    ("p9 = [ 'tag=a,path=/b,|security_model' ]", "p9: security_model needs a value"),
    ("channel = [ '|connection=socket,name=a' ]", "path is missing"),
    ("vkb = [ 'backend-type=|x' ]", "'x' is not one of"),
    ("usbctrl = [ '|prots=1' ]", "unknown parameter 'prots'; is 'ports' meant?"),
    ("usbdev = [ 'type=|x' ]", "'x' is not one of hostdev"),
    ("vtpm = [ 'backend=a,uuid=|x' ]", "a UUID is expected"),
    ("ioports = [ '|x' ]", "a hexadecimal port"),
    ("irqs = [ '|0x5' ]", "a decimal number"),
    ("iomem = [ '|fd000' ]", "START,COUNT"),
    ("passthrough = '|some'", "'some' is not one of default, disabled"),
    ("firmware = '|pvgrub32'", "also has a kernel"),
]

# The texts that xl accepts and that strict reading refuses.
DOUBTS = [
    ("|memroy = 1", "unknown key 'memroy'; is 'memory' meant?"),
    ("|zzzzzzzz = 1", "unknown key 'zzzzzzzz'"),
    ("memory = '|much'", "a number is expected, not 'much'"),
    ("memory = |[ 1 ]", "a number is expected"),
    ("disk = '|/a,raw,xvda'", "a list is expected"),
    ("disk = [ |[ 'a' ] ]", "a string is expected, not a list"),
    ("vif = [ '|brigde=a' ]", "unknown parameter 'brigde'; is 'bridge' meant?"),
    ("vif = [ 'mac=|x' ]", "six hexadecimal octets"),
    ("vif = [ 'type=|fast' ]", "'fast' is not one of vif, ioemu"),
    ("hap = '|yes'", "a number is expected"),
    ("vfb = [ 'vnc=1,|port=1' ]", "unknown parameter 'port'"),
    ("pci = [ '1:0.0,permissive=|x' ]", "permissive: a number is expected"),
    ("channel = [ '|connection=pty' ]", "name is missing"),
    ("disk = [ '/a,raw,|,w' ]", "vdev is empty"),
    ("vif = [ 'bridge=a,|bridge' ]", "vif: bridge needs a value"),
    ("vif = [ 'bridge=a,|bridge=b' ]", "bridge is given twice"),
    ("vfb = [ 'vncdisplay=|x' ]", "vncdisplay: a number is expected"),
    ("vfb = [ '|vnc' ]", "vfb: vnc needs a value"),
    ("usbdev = [ 'hostbus=|x,hostaddr=1' ]", "hostbus: a number is expected"),
    ("cpuid = 'host,|speed=1'", "unknown feature 'speed'"),
    ("cpuid = '|tm=1'", "the first word must be host"),
    ("memory = 64\nmaxmem = |32", "less than memory"),
]

# The texts that cause a warning, whether the reading is strict or not.
WARNINGS = [
    ("builder = '|generic'", "use type"),
    ("memory = 1\n|memory = 2", "set again"),
    ("|boot = 'c'", "no effect for a pv domain"),
    ("bootloader_args = '|a b'", "use a list"),
    ("vif = [ 'netdev=|eth0' ]", "use gatewaydev"),
    ("tsc_mode = '|2'", "use 'native'"),
    ("cmdline = 'a'\nroot = '|b'", "no effect beside cmdline"),
    ("device_model = '|x'", "no effect"),
]


def place(marked: str) -> tuple[str, int, int]:
    before, _, after = (BASE + marked).partition("|")
    return before + after, before.count("\n") + 1, len(before) - before.rfind("\n")


@pytest.mark.filterwarnings("ignore::aioxen.XlFileWarning")
@pytest.mark.parametrize(("marked", "words"), ERRORS)
def test_an_error_names_its_place(xl: Xl, marked: str, words: str) -> None:
    text, line, column = place(marked)
    for strict in (True, False):
        with pytest.raises(aioxen.XlFileError) as told:
            aioxen.loads(text, file="g.cfg", strict=strict, host=HOST)
        assert words in str(told.value)
        assert (told.value.file, told.value.line, told.value.column) == ("g.cfg", line, column), told.value
        assert str(told.value).startswith(f"g.cfg:{line}:{column}: ")
    assert xl.ask(text + "\n").status != 0


@pytest.mark.parametrize(("marked", "words"), DOUBTS)
def test_what_xl_ignores_is_an_error_if_strict(xl: Xl, marked: str, words: str) -> None:
    text, line, column = place(marked)
    with pytest.raises(aioxen.XlFileError) as told:
        aioxen.loads(text, host=HOST)
    assert words in str(told.value)
    assert (told.value.line, told.value.column) == (line, column), told.value
    with pytest.warns(aioxen.XlFileWarning, match=f"<text>:{line}:{column}: "):
        aioxen.loads(text, strict=False, host=HOST)
    assert xl.ask(text).status == 0


def test_a_warning_hides_no_error(xl: Xl) -> None:
    """If the reading is not strict, the unknown parameter only causes a warning. The missing connection is
    still an error."""
    text, line, column = place("channel = [ '|name=x,colour=red' ]")
    with pytest.raises(aioxen.XlFileError, match="channel: connection is missing") as told:
        aioxen.loads(text, strict=False, host=HOST)
    assert (told.value.line, told.value.column) == (line, column)
    assert xl.ask(text).status != 0


@pytest.mark.parametrize(("marked", "words"), WARNINGS)
def test_a_warning_names_its_place(marked: str, words: str) -> None:
    text, line, column = place(marked)
    with pytest.warns(aioxen.XlFileWarning) as told:
        aioxen.loads(text, host=HOST)
    messages = [str(warning.message) for warning in told]
    assert any(m.startswith(f"<text>:{line}:{column}: ") and words in m for m in messages), messages


def test_all_errors_are_told_at_once() -> None:
    with pytest.raises(aioxen.XlFileError) as told:
        aioxen.loads(BASE + "memroy = 1\nvif = [ 'x=1', 'y=1' ]\non_crash = 'x'\n")
    assert [(m.line, m.error) for m in told.value.messages] == [(3, True), (4, True), (4, True), (5, True)]
    assert told.value.line == 3


def test_columns_count_characters() -> None:
    with pytest.raises(aioxen.XlFileError) as told:
        aioxen.loads(BASE + "disk = [ 'é日\\'a,raw,xvda,x' ]\n")
    assert (told.value.line, told.value.column) == (3, 26)


def test_a_place_in_a_joined_string() -> None:
    with pytest.raises(aioxen.XlFileError) as told:
        aioxen.loads(BASE + "vcpus = 2\ncpus = '0,'\ncpus += '1,'\ncpus += 'x'\n", host=HOST)
    assert (told.value.line, told.value.column) == (6, 10)


def test_statements_replace_values_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "g.cfg"
    file.write_text(BASE + "memory = 64\ndisk = [ '/a,raw,xvda' ]\n")
    config = aioxen.load(file, extra=["memory = 128", "disk += [ '/b,raw,xvdb' ]", 'name="h";vcpus=2'])
    assert (config.c_info.name, config.b_info.target_memkb, config.b_info.max_vcpus) == ("h", 128 << 10, 2)
    assert [disk.pdev_path for disk in config.disks] == ["/a", "/b"]
    with pytest.raises(aioxen.XlFileError) as told:
        aioxen.load(file, extra=["memory = 128", "vcpus = "])
    assert (told.value.file, told.value.line, told.value.column) == ("statement 2", 1, 9)
    with pytest.raises(TypeError):
        aioxen.load(file, extra="memory = 128")


def test_what_is_missing() -> None:
    with pytest.raises(aioxen.XlFileError, match="name is missing") as told:
        aioxen.loads("kernel = 'k'")
    assert told.value.line == 0
    with pytest.raises(aioxen.XlFileError, match="neither kernel nor bootloader"):
        aioxen.loads("name = 'g'")


def test_nodes_need_a_host() -> None:
    text = BASE + "vcpus = 2\ncpus = 'node:0'\n"
    with pytest.raises(aioxen.XlFileError, match="the host's nodes are not known"):
        aioxen.loads(text)
    assert aioxen.loads(text, host=HOST).b_info.vcpu_hard_affinity == [{0, 1}, {0, 1}]


def test_a_value_that_a_file_cannot_express_is_told() -> None:
    config = aioxen.loads(BASE)
    config.c_info.ssidref = 5
    with pytest.raises(
        aioxen.InvalidError, match=r"^c_info\.ssidref: a file of xl's cannot express this value$"
    ):
        aioxen.dumps(config)
    config = aioxen.loads(BASE + "p9 = [ 'tag=a,security_model=none,path=/b' ]")
    config.p9s[0].path = "/with,comma"
    with pytest.raises(aioxen.InvalidError, match="cannot express"):
        aioxen.dumps(config)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100000,
        "x=" + "[" * 100000,
        "a=1\n" * 200000,
        "a+='b'\n" * 100000,
        "a+=['b']\n" * 100000,
        "x" * 1000000 + "=1",
        "vif=[" + "''," * 300000 + "]",
        "".join(f"k{i}=1\n" for i in range(100000)),
        "cpus='" + "0-4095," * 100000 + "'",
        "vif=['" + "a=b," * 200000 + "']",
        "vcpus='" + "9" * 900000 + "'",
        "\xff" * 1000000,
        "vif=['mac=" + "\\n" * 400000 + "']",
    ],
    ids=lambda text: text[:12].replace("\n", " "),
)
def test_large_and_hostile_texts_are_bounded(text: str) -> None:
    kept = 0
    for strict in (True, False):
        try:
            aioxen.loads(BASE + text, strict=strict, host=HOST)
        except aioxen.XlFileError as error:
            kept = max(kept, len(error.messages))
    assert kept <= 101


def test_a_text_that_is_too_long() -> None:
    with pytest.raises(aioxen.XlFileError, match="longer than 1048576 octets"):
        aioxen.loads(BASE + "#" * (1 << 20))
