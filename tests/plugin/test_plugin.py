"""The plugin itself."""

import subprocess
import sys


def test_starting_up_loads_neither_torch_nor_scipys_statistics():
    """Every worker and `ddiv report` would pay for them: a second, and most of one."""
    code = (
        "import sys, ddiv.plugin; heavy = ('torch', 'scipy.stats', 'scipy.optimize');"
        "print([name for name in heavy if name in sys.modules])"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )
