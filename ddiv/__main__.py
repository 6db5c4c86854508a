"""`python -m ddiv` is `ddiv`."""

from __future__ import annotations

import sys

from ddiv.cli.main import main

sys.exit(main())
