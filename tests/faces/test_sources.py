"""Sources of faces as they are typed."""

from pathlib import Path

import pytest

from tinyvgg.errors import UserError
from tinyvgg.faces.sources import absolute, named, parse_source, tasks_of


def test_a_source_is_taken_apart() -> None:
    source = parse_source("folder:my faces, 2:x::crop=centre,unclear=largest")
    assert (source.kind, source.place) == ("folder", "my faces, 2:x")
    assert (source.option("crop"), source.option("unclear")) == ("centre", "largest")
    usual = {
        kind: parse_source(f"{kind}:a").option("crop") for kind in ("london", "folder", "rafd")
    }
    assert usual == {"london": "faces", "folder": "auto", "rafd": "camera"}
    assert parse_source("folder:a").option("group") == ""


@pytest.mark.parametrize("text", ["folder:a::b::", "folder:a::b::crop=centre", "rafd:é = 1::x::"])
def test_a_place_may_have_the_separator_if_another_follows(text: str) -> None:
    source = parse_source(text)
    assert source.place == text.partition(":")[2].rpartition("::")[0]
    assert str(source) == text
    assert parse_source(absolute(text)).path.name == source.place


def test_a_source_means_the_same_from_everywhere(tmp_path: Path, monkeypatch) -> None:
    assert str(parse_source("folder:a::crop=auto,unclear=skip")) == "folder:a"
    written = str(parse_source("folder:a::unclear=largest,crop=faces"))
    assert written == "folder:a::crop=faces,unclear=largest"
    monkeypatch.chdir(tmp_path)
    assert absolute("folder:x::group=b") == f"folder:{tmp_path}/x::group=b"
    assert named("london:some/where::crop=centre") == "london:where"


def test_a_network_remembers_options_and_no_place() -> None:
    source = parse_source("rafd:/home/me/x::unclear=largest")
    assert source.anonymous == "rafd::unclear=largest"
    assert parse_source("folder:/home/me").anonymous == "folder"
    assert parse_source("synthetic:noise=0.02").anonymous == "synthetic:noise=0.02"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rafd", "'rafd' is not one of synthetic"),
        ("folder:", "'folder:' is not one of synthetic"),
        ("folder:a::crop=left", "crop 'left' is not one of auto, centre, faces"),
        ("folder:a::crop=camera", "crop 'camera' is not one of auto, centre, faces"),
        ("folder:a::boxes=x", "option of faces 'folder' 'boxes' is not one of crop, unclear"),
        ("folder:a::crop", "option 'crop' of faces 'folder' is not NAME=VALUE"),
        ("folder:a::crop=auto,crop=faces", "'crop=faces' of faces 'folder' is given twice"),
        ("folder:a::crop=", "option 'crop=' of faces 'folder' is not NAME=VALUE"),
        ("folder:a\udcff", r"'folder:a.udcff' is no text that names a path; rename"),
        ("folder:a\0b", r"'folder:a.x00b' is no text that names a path"),
    ],
)
def test_what_cannot_be_meant_is_one_line(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as error:
        parse_source(text)
    assert "\n" not in str(error.value)


def test_a_home_of_nobody_does_not_exist() -> None:
    with pytest.raises(UserError, match="folder '~nobody_at_all/x' does not exist"):
        tasks_of("folder:~nobody_at_all/x")
