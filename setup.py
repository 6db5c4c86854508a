"""What pyproject.toml cannot say: the wheel holds the claims too, as `ddiv.claims`.

In the checkout `claims/` and `fixtures/` stand at the top, where people read them. A package of
those names at the top level of everybody's environment would be in the way of others, so they go
into the wheel below `ddiv`, and what imports them is written accordingly:

    pytest --pyargs ddiv.claims
"""

import re
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

# By folder of the checkout, what goes over, and the package's docstring where it has no file.
FOLDERS = {
    "claims": (("*.py", "*.toml"), '"""Claims of the paper: `pytest --pyargs ddiv.claims`."""\n'),
    "fixtures": (("*.py",), ""),
}


class WithClaims(build_py):
    """Builds `ddiv.claims` and `ddiv.fixtures` beside the packages that lie below `ddiv/`."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:  # a checkout has them where they are
            return
        for folder, (patterns, docstring) in FOLDERS.items():
            target = Path(self.build_lib) / "ddiv" / folder
            target.mkdir(parents=True, exist_ok=True)
            (target / "__init__.py").write_text(docstring, encoding="utf-8")
            for pattern in patterns:
                for path in sorted(Path(folder).glob(pattern)):
                    text = path.read_text(encoding="utf-8")
                    if path.suffix == ".py":
                        text = re.sub(r"(?m)^from fixtures\b", "from ddiv.fixtures", text)
                    (target / path.name).write_text(text, encoding="utf-8")


setup(cmdclass={"build_py": WithClaims})
