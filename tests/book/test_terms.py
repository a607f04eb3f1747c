"""What may be done with pages that show images of a source."""

import html
import json
from pathlib import Path

import nbformat
import pytest

from tinyvgg import cli
from tinyvgg.book import reproduce, site
from tinyvgg.errors import UserError
from tinyvgg.faces.sources import check_committing, check_publishing, terms_of

PHOTOGRAPHS = ("rafd:x", "london:x", "folder:x")


def test_what_is_committed_shows_synthetic_faces_only(repository: Path) -> None:
    notebooks = sorted((repository / "book" / "notebooks").glob("*.ipynb"))
    assert notebooks
    for path in notebooks:
        about = nbformat.read(path, as_version=4).metadata["tinyvgg"]
        check_committing(about["faces"])
        assert about["faces"] == "synthetic"
    for path in (repository / "results").glob("*.json"):
        provenance = json.loads(path.read_text("utf-8")).get("provenance", {})
        check_committing(provenance.get("parameters", {}).get("faces", "synthetic"))


@pytest.mark.parametrize("faces", PHOTOGRAPHS)
def test_photographs_are_never_committed_and_always_have_a_notice(faces: str) -> None:
    with pytest.raises(UserError, match=f"images of {terms_of(faces).name} are not recorded"):
        check_committing(faces)
    assert terms_of(faces).notice in site.footer(faces).replace("&#x27;", "'").replace("&amp;", "&")


@pytest.mark.parametrize(
    ("faces", "allowed"),
    [("synthetic", True), ("london:x", True), ("rafd:x", False), ("folder:x", False)],
)
def test_publishing_needs_a_right_to(faces: str, allowed: bool) -> None:
    if allowed:
        check_publishing(faces, confirmed=False)
    else:
        with pytest.raises(UserError, match="are not published .* say so: --confirm"):
            check_publishing(faces, confirmed=False)
        check_publishing(faces, confirmed=True)


def test_synthetic_faces_in_the_data_bases_form_are_known_for_what_they_are(tmp_path: Path) -> None:
    assert terms_of(f"rafd:{tmp_path}").shows_people
    (tmp_path / "synthetic.json").write_text("{}")
    terms = terms_of(f"rafd:{tmp_path}")
    assert (terms.shows_people, terms.may_publish, terms.may_commit) == (False, True, False)
    assert "synthetic" in terms.notice


def publish(made: reproduce.Reproduction, target: Path) -> None:
    site.publish(made.site, target, made.parameters["faces"])


@pytest.fixture
def made(workshop, tmp_path: Path):
    """A reproduction with a site, of faces of one's choice."""

    def make(faces: str) -> reproduce.Reproduction:
        root = workshop.build / "reproduce"
        folder = root / "one"
        pages = folder / "site" / "_build" / "html"
        pages.mkdir(parents=True, exist_ok=True)
        (pages / "index.html").write_text("<p>pages</p>")
        (folder / "notebooks").mkdir(exist_ok=True)
        (folder / "notebooks" / "01_first.ipynb").write_text("{}")
        parameters = {"profile": "smoke", "faces": faces, "seed": 0}
        (root / "last.json").write_text(json.dumps({"folder": "one", "parameters": parameters}))
        return reproduce.last(root)

    return make


def test_a_site_is_published_whole_with_its_terms(made, tmp_path: Path) -> None:
    target = tmp_path / "web" / "site"
    publish(made("london:x"), target)
    assert (target / "index.html").read_text() == "<p>pages</p>"
    assert "CC BY 4.0" in (target / "TERMS.txt").read_text()
    assert (target / ".nojekyll").exists()
    assert [path.name for path in target.parent.iterdir()] == ["site"]
    with pytest.raises(UserError, match="is not empty; name a new one"):
        publish(made("london:x"), target)


def test_the_command_refuses_until_it_is_confirmed(made, tmp_path: Path, capsys) -> None:
    target = tmp_path / "web"
    made("rafd:x")
    assert cli.main(["publish", str(target)]) == cli.BAD_INPUT
    assert "Radboud Faces Database are not published" in capsys.readouterr().err
    assert not target.exists()
    assert cli.main(["publish", str(target), "--confirm"]) == 0
    assert "may not be passed on" in (target / "TERMS.txt").read_text().replace("\n", " ")


def test_a_published_site_does_not_tell_where_photographs_lie(made, tmp_path: Path) -> None:
    place = tmp_path / "me & mine" / "Bilder für später"
    reproduced = made(f"folder:{place}::crop=centre")
    pages = reproduced.folder / "site" / "_build" / "html"
    (pages / "index.html").write_text(html.escape(f"faces = 'folder:{place}::crop=centre'"))
    (pages / "a.ipynb").write_text(json.dumps(f'faces = "folder:{place}"'))
    (pages / "b.ipynb").write_text(json.dumps(f"folder:{place}", ensure_ascii=False))
    publish(reproduced, tmp_path / "web")
    texts = [path.read_text("utf-8") for path in (tmp_path / "web").iterdir()]
    assert not any(str(tmp_path) in text for text in texts)
    assert sum("Bilder" in text for text in texts) == 3


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("build/reproduce/one/site/_build/html/web", "lies in the site that is copied; name"),
        ("x" * 300, "cannot be written .File name too long.; name another"),
    ],
)
def test_a_target_that_cannot_be_is_one_line(made, workshop, place: str, said: str) -> None:
    reproduced = made("synthetic")
    with pytest.raises(UserError, match=said):
        publish(reproduced, workshop.build.parent / place)
