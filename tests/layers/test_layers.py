# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each layer of the library includes and calls only itself and lower layers. The core knows no domain.

Needs the objects of `make lib`.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD = Path(os.environ.get("AIOXEN_TEST_BUILD", ROOT / "build"))

# The layers, from the lowest to the highest. The Makefile makes the library from the same list.
LAYERS = ["core", "json", "types", "xl", "host", "xen", "devices", "events", "ops", "lib"]

# The layers of generated files. A generated header that is not listed is public, so all layers may
# include it.
GENERATED = {
    "_libxl_types_json": "types",
    "_libxl_operations_internal": "ops",
    "_libxl_operations": "ops",
}
GENERATED_PHASES = "_libxl_phases_"

# The words of higher layers. The core must not contain these words in identifiers or comments.
FOREIGN = re.compile(r"domain|domid|domuuid|xenstore|hypervisor|guest", re.IGNORECASE)
# libxl's API gives these names to members of libxl_event and libxl_event_record, which the core fills in.
PUBLIC_MEMBERS = re.compile(r"(->|\.)(domid|domuuid)\b")


def sources(layer: str) -> list[Path]:
    found = sorted((ROOT / "src" / layer).glob("*.[ch]"))
    assert found, f"src/{layer} is empty"
    return found


def layer_of_headers() -> dict[str, str]:
    """Returns the layer of each internal header. All internal headers are in one include path, so two
    headers must not have the same name."""
    layers = {f"{name}.h": layer for name, layer in GENERATED.items() if name != "_libxl_operations"}
    for layer in LAYERS:
        for path in sources(layer):
            if path.suffix == ".h":
                assert path.name not in layers, (
                    f"{path.name} is in src/{layers[path.name]} and in src/{layer}"
                )
                layers[path.name] = layer
    return layers


def included(path: Path) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*["<]([^">]+)[">]', line)
        if match:
            yield number, Path(match[1]).name


def is_above(layer: str, other: str) -> bool:
    return LAYERS.index(other) > LAYERS.index(layer)


def test_the_layers_are_those_that_are_built() -> None:
    makefile = (ROOT / "src/Makefile.inc").read_text()
    match = re.search(r"^LAYERS\s*:=\s*(.*)$", makefile, re.MULTILINE)
    assert match and match[1].split() == LAYERS
    folders = {path.name for path in (ROOT / "src").iterdir() if path.is_dir()}
    assert folders == {*LAYERS, "include", "libxl", "transfer"}


def test_no_header_of_a_layer_above_is_included() -> None:
    headers = layer_of_headers()
    wrong = []
    for layer in LAYERS:
        for path in sources(layer):
            for number, name in included(path):
                other = "ops" if name.startswith(GENERATED_PHASES) else headers.get(name, "core")
                if is_above(layer, other):
                    wrong.append(f"{path.relative_to(ROOT)}:{number}: includes {name} of src/{other}")
    assert not wrong, "\n".join(wrong)


def symbols(*paths: Path) -> Iterator[tuple[Path, str, str]]:
    """Yields each symbol of the library in these objects, with the symbol's letter in the output of nm."""
    listed = subprocess.run(["nm", "-A", *paths], check=True, capture_output=True, text=True).stdout
    for line in listed.splitlines():
        match = re.match(r"(\S+?):[0-9a-f ]*\s([A-Za-z]) (libxl_\w+)$", line)
        if match:
            yield Path(match[1]), match[2], match[3]


def test_no_function_of_a_layer_above_is_called() -> None:
    """A header may declare a function that a higher layer defines, so the test of includes is not enough."""
    objects = {
        BUILD / "src" / layer / f"{path.stem}.o": layer
        for layer in LAYERS
        for path in sources(layer)
        if path.suffix == ".c"
    }
    generated = {BUILD / "src/gen" / f"{name}.o": layer for name, layer in GENERATED.items()}
    objects |= {path: layer for path, layer in generated.items() if path.exists()}
    missing = [str(path) for path in objects if not path.exists()]
    assert not missing, f"not built: {missing}"
    found = list(symbols(*objects))
    defined = {name: objects[path] for path, kind, name in found if kind in "TDRBV"}
    assert len(defined) > 100
    wrong = [
        f"{path.relative_to(BUILD)} refers to {name} of src/{defined[name]}"
        for path, kind, name in found
        if kind == "U" and name in defined and is_above(objects[path], defined[name])
    ]
    assert not wrong, "\n".join(wrong)


def test_the_core_does_not_speak_of_what_is_above_it() -> None:
    wrong = []
    for path in sources("core"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            for match in FOREIGN.finditer(PUBLIC_MEMBERS.sub("", line)):
                wrong.append(f"{path.relative_to(ROOT)}:{number}: {match[0]}: {line.strip()}")
    assert not wrong, "\n".join(wrong)
