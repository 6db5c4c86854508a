"""The value that stands for a part of a user's own."""

from ddiv.profiles import python_file

STUDY = """
from ddiv import Part, Treatment

class Half(Part, frozen=True):
    share: float

    def loss(self, outputs, labels):
        return self.share * outputs[:, 0]

def arm():
    return Treatment.of(Half(0.5))

FIRST = arm()
"""

CLAIMS = """
import my_parts

my_parts.SEEN = True  # what a file does when it is run
AT_THE_TOP = my_parts.arm()

def body():
    return my_parts.arm()
"""


def test_an_arm_is_one_wherever_and_whenever_it_is_made(tmp_path):
    """At the top of a file of a study or of claims, or later, in a test's body."""
    (tmp_path / "my_parts.py").write_text(STUDY)
    (tmp_path / "claims.py").write_text(CLAIMS)
    study = python_file.run(tmp_path / "my_parts.py")
    claims = python_file.run(tmp_path / "claims.py")
    assert study["FIRST"] == claims["AT_THE_TOP"] == claims["body"]()
