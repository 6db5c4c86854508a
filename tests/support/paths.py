"""Where tests find the repository and real data that not every machine has."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHARED_DATA = Path(os.environ.get("DDIV_SHARED_DATA") or ROOT.parent / "shared" / "data")
