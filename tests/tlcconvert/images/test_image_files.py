"""Files and folders that a person names, as image files."""

from __future__ import annotations

from pathlib import Path

from tlcconvert.images.image_files import image_files


def test_folders_are_their_images_in_the_order_of_names_and_none_comes_twice(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpg", "notes.txt", "c.tiff"):
        (tmp_path / name).touch()
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "d.png").touch()
    (tmp_path / "folder.png").mkdir()
    files, unusable = image_files([tmp_path / "c.tiff", tmp_path, tmp_path / "inner" / ".." / "a.jpg"])
    assert [file.name for file in files] == ["c.tiff", "a.jpg", "b.PNG"]
    assert unusable == ()


def test_a_file_is_tried_whatever_it_is_called(tmp_path: Path) -> None:
    (tmp_path / "photograph").touch()
    assert image_files([tmp_path / "photograph"])[0] == (tmp_path / "photograph",)


def test_what_is_not_there_and_a_folder_without_images_are_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.png").touch()
    files, unusable = image_files([tmp_path / "missing", tmp_path / "empty", tmp_path / "a.png"])
    assert files == (tmp_path / "a.png",)
    assert [str(reason) for reason in unusable] == [
        f"{tmp_path / 'missing'} does not exist.",
        f"{tmp_path / 'empty'} is a folder without images.",
    ]
