# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))  # This makes `import gen` work.
