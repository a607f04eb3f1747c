"""Folders of classes: links, names, permissions."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import gettempdir

import pytest

from tinyvgg.errors import UserError
from tinyvgg.faces.folder import list_classes


def paths(folder: Path) -> list[str]:
    return [one.path for one in list_classes(folder).photographs]


def test_names_of_any_script_and_with_spaces_are_classes(touch) -> None:
    names = ["très heureux/1 a.jpg", "très heureux/2.jpg", "怒り/1.png", "怒り/深い/2.png"]
    folder = touch(*names)
    assert paths(folder) == names
    assert {one.known["class"] for one in list_classes(folder).photographs} == {
        "très heureux",
        "怒り",
    }


def test_two_classes_that_differ_in_capitals_alone_are_refused(touch) -> None:
    folder = touch("Happy/1.jpg", "Happy/2.jpg", "happy/1.jpg", "happy/2.jpg", "sad/1.jpg")
    with pytest.raises(UserError, match="classes 'Happy' and 'happy' .* differ in capitals"):
        list_classes(folder)


def test_two_classes_whose_letters_are_encoded_in_two_ways_are_refused(touch) -> None:
    composed, apart = "caf\u00e9", "cafe\u0301"
    folder = touch(*(f"{name}/{n}.jpg" for name in (composed, apart) for n in range(2)))
    with pytest.raises(UserError, match="how letters are encoded; rename one"):
        list_classes(folder)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_names_that_are_not_utf_8_are_left_out(touch) -> None:
    folder = touch("a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg")
    (folder / "a" / os.fsdecode(b"3\xff.jpg")).touch()
    (folder / os.fsdecode(b"c\xff")).mkdir()
    listing = list_classes(folder)
    assert dict(listing.left_out) == {
        "a/3\\udcff.jpg": "has a name that is not UTF-8; rename it",
        "c\\udcff": "has a name that is not UTF-8; rename it",
    }
    assert len(listing.photographs) == 4


def test_links_that_loop_are_left_out(touch) -> None:
    folder = touch("a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg")
    (folder / "a" / "again").symlink_to(folder)
    (folder / "b" / "self.jpg").symlink_to("self.jpg")
    listing = list_classes(folder)
    assert dict(listing.left_out) == {"a/again": "is a link to a folder that it lies in"}
    # it has the name of an image, and is refused once it is opened
    assert paths(folder) == ["a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg", "b/self.jpg"]


def test_images_beside_the_classes_are_left_out(touch) -> None:
    folder = touch("a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg", "cover.jpg", "notes.txt", ".a/x.jpg")
    assert list_classes(folder).left_out == (("cover.jpg", "lies in no sub-folder"),)


def as_nobody(look: Callable[[], None], folder: Path) -> None:
    """Look from a process that has no rights of an administrator, but may come to the folder."""
    child = os.fork()
    if not child:
        try:
            if os.geteuid() == 0:
                for above in folder.parents:
                    if above.owner() == Path.home().owner() and above.is_relative_to(gettempdir()):
                        above.chmod(above.stat().st_mode | 0o011)
                os.seteuid(65534)
            look()
            os._exit(0)
        except BaseException:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_name_that_is_too_long_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a' cannot be read .*; "):
        list_classes(tmp_path / ("a" * 5000))


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_folders_that_may_not_be_read_are_left_out_or_named(touch) -> None:
    folder = touch("a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg", "c/1.jpg", "c/2.jpg")

    def without_c() -> None:
        listing = list_classes(folder)
        assert dict(listing.left_out) == {"c": "cannot be read (Permission denied)"}
        assert len(listing.photographs) == 4

    def refused() -> None:
        with pytest.raises(UserError, match="cannot be read .Permission denied.; give"):
            list_classes(folder)

    (folder / "c").chmod(0)
    as_nobody(without_c, folder)
    folder.chmod(0o300)
    as_nobody(refused, folder)
    folder.chmod(0o700)
    (folder / "c").chmod(0o700)
