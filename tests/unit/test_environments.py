"""Python environments beside the program's own: made once, and again when what they are made from changes."""

from __future__ import annotations

from pathlib import Path

from sandbox.operator import environments


def test_an_environment_of_other_requirements_is_made_anew_and_one_of_these_is_kept(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("# none\n")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "stamp").write_text("of other requirements")
    (tmp_path / ".venv" / "old").touch()
    made = environments.make(tmp_path)
    assert (made / "bin" / "python").exists()
    assert not (made / "old").exists()
    (made / "kept").touch()
    environments.make(tmp_path)
    assert (made / "kept").exists(), "it was there already"


def test_constraints_and_other_files_of_requirements_count_too(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "requirements.txt").write_text("-r more.txt\n")
    (tmp_path / "more.txt").touch()
    (tmp_path / "pack" / "requirements.txt").write_text("# a pack\n-c ../requirements.txt\npydantic\n")
    found = [file.name for file in environments.files(tmp_path / "pack" / "requirements.txt")]
    assert found == ["requirements.txt", "requirements.txt", "more.txt"]
