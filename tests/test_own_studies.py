"""A user's own studies, from a Python file."""

import pytest

from ddiv.profiles import BadStudyFile, of_file, profile

DEFINING = "from ddiv.profiles import profile\n{name} = profile('smoke').studies{index}\n"


@pytest.mark.parametrize("name, index", [("STUDY", "[0]"), ("STUDIES", "")])
def test_a_file_defines_one_study_or_several(tmp_path, name, index):
    (tmp_path / "mine.py").write_text(DEFINING.format(name=name, index=index))
    found = of_file(tmp_path / "mine.py")
    assert found.studies == profile("smoke").studies and found.name == "mine" and found.seeds < found.max_seeds


@pytest.mark.parametrize("text, said", [
    (None, "there is no file"), ("STUDY = 3", "neither STUDY, a ddiv.study.Study"), ("", "neither STUDY"), ("STUDIES = ()", "neither"),
    ("1 / 0", "cannot be run: ZeroDivisionError"), ("import nothing_of_this_name", "cannot be run: ModuleNotFoundError")])
def test_a_file_that_defines_none_is_an_error_that_says_why(tmp_path, text, said):
    if text is not None:
        (tmp_path / "mine.py").write_text(text)
    with pytest.raises(BadStudyFile, match=said):
        of_file(tmp_path / "mine.py")
