"""What a user imports from `ddiv` itself."""

import subprocess
import sys

import pytest

import ddiv


def test_all_names_are_there_and_nothing_is_imported_before_they_are_asked_for():
    for name, module in ddiv._MODULES.items():
        assert getattr(ddiv, name) is getattr(sys.modules[module], name)
        assert name in dir(ddiv)
    with pytest.raises(AttributeError, match="module 'ddiv' has no attribute 'own_treatment'"):
        _ = ddiv.own_treatment
    code = "import ddiv, sys; assert not {'torch', 'numpy', 'msgspec'} & {*sys.modules}; "
    code += "from ddiv import Study, own_augmentation; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
