# SPDX-License-Identifier: LGPL-2.1-or-later
"""Puts generated files in place. Unchanged files are not touched. Files that are no longer generated
are removed."""

from __future__ import annotations

from pathlib import Path

MANIFEST = ".generated"


def write(out: Path, files: dict[str, str]) -> list[str]:
    """Writes `files` below `out`. Returns the paths of the files that were written or removed.

    MANIFEST lists the files that earlier runs wrote. Only these files are removed.
    """
    changed = [path for path, text in files.items() if replace(out / path, text)]
    manifest = out / MANIFEST
    before = manifest.read_text(encoding="utf-8").splitlines() if manifest.exists() else []
    for path in sorted(set(before) - set(files)):
        if (out / path).is_file():
            (out / path).unlink()
            changed.append(path)
    replace(manifest, "".join(f"{path}\n" for path in sorted(files)))
    return changed


def replace(path: Path, text: str) -> bool:
    """Writes `text` unless the file has this text already. Returns whether the file was written."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return True
