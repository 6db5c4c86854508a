"""`python -m ddiv` is `ddiv`."""

import sys

from ddiv.cli import main

sys.exit(main())
