"""Hair: who wears which, where it grows, and what it leaves free."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from synthfaces import appearance, rendering
from synthfaces.appearance import Cut, HairStyle, draw_style, hair_cover
from synthfaces.chart import heights
from synthfaces.hair import paint_cover
from synthfaces.maths import dot
from synthfaces.parameters import SUBJECTS
from synthfaces.people import person
from synthfaces.scalp import Scalp, comb
from synthfaces.specification import FaceSpec, intervene
from synthfaces.strands import grow
from synthfaces.subjects import own_looks
from synthfaces.truth import FacePart

SIZE = 64
BARE = dict.fromkeys(("hairline", "recession", "peak", "sideburn"), 0.0)
PLAIN = HairStyle(Cut.PARTED, **BARE, length=0.5, volume=1.0, parting=0.25, wave=0.1, tucked=False)


@pytest.fixture(scope="module")
def scalp() -> Scalp:
    return Scalp(rendering.renderer(SIZE, 0).mesh)


@cache
def cut_of(number: int) -> Cut:
    return own_looks(number, 0).style.cut


def with_cut(cut: Cut) -> int:
    return next(number for number in SUBJECTS if cut_of(number) == cut)


def test_both_sexes_wear_every_cut_and_none_gives_the_sex_away():
    guesses = []
    for cut in Cut:
        sexes = [person(number).is_male for number in SUBJECTS if cut_of(number) == cut]
        assert set(sexes) == {False, True}
        guesses.append(max(sum(sexes), len(sexes) - sum(sexes)))
    men = sum(person(number).is_male for number in SUBJECTS)
    assert sum(guesses) / len(SUBJECTS) < men / len(SUBJECTS) + 0.12


@pytest.mark.parametrize("number", [1, 3])
def test_looks_drawn_after_the_style_do_not_depend_on_it(number, monkeypatch):
    states = set()
    for cut in Cut:
        chances = tuple(float(other == cut) for other in Cut)
        monkeypatch.setattr(appearance, "_CHANCES", {True: chances, False: chances})
        rng = np.random.default_rng(7)
        assert draw_style(person(number), rng).cut == cut
        states.add(rng.random())
    assert len(states) == 1


def test_forehead_and_brows_are_bare_and_crown_and_nape_are_covered():
    places = {8.25: (0, 1), 7.6: (0, 0), 7.9: (180, 1), 6.9: (180, 1), 6.3: (180, 0)}
    for height, (azimuth, expected) in places.items():
        found = hair_cover(np.radians([azimuth]), np.array([height]), PLAIN, 0.08)
        assert found == pytest.approx(expected)


def test_hair_thins_towards_a_hairline_that_is_no_row_of_teeth(scalp):
    cover = paint_cover(scalp, PLAIN, np.random.default_rng(0))
    rows = heights()[:, 0]
    forehead = cover[:, slice(cover.shape[1] // 2 - 60, cover.shape[1] // 2 + 60)]
    border = np.array([rows[column > 0.5].min() for column in forehead.T])
    assert 0.01 < border.std() < 0.08
    assert np.abs(np.diff(border)).mean() < 0.05
    share = forehead[(rows > 7.9) & (rows < 8.15)]
    assert ((share > 0.1) & (share < 0.9)).mean() > 0.15, "a soft band"


@pytest.mark.parametrize("cut", list(Cut))
def test_hair_lies_along_the_scalp(cut, scalp):
    style = replace(PLAIN, cut=cut)
    roots = scalp.roots(200, style, np.random.default_rng(0))
    _, normals, _ = scalp.nearest(roots)
    along = comb(roots, normals, style)
    assert np.abs(dot(along, normals)).max() < 1e-6
    assert dot(along, along) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("cut", [cut for cut in Cut if cut != Cut.BUZZED])
@pytest.mark.parametrize("length", [0.0, 1.0])
def test_strands_start_on_the_scalp_and_leave_eyes_brows_and_mouth_free(cut, length, scalp):
    style = replace(PLAIN, cut=cut, length=length, wave=0.9 if cut == Cut.CURLY else 0.1)
    strands = grow(scalp, style, np.random.default_rng(1))
    starts = strands.paths[:, 0]
    if cut != Cut.TIED:
        assert np.abs(scalp.nearest(starts)[2]).max() < 0.15
    x, y, z = strands.paths.reshape(-1, 3).T
    face = (z > 1.15) & (np.abs(x) < 0.5) & (y < 7.6)
    assert face.mean() < 2e-4
    inside = scalp.nearest(strands.paths[:, 1:].reshape(-1, 3))[2] < -0.1
    assert inside.mean() < 0.02


@pytest.mark.parametrize("cut", list(Cut))
def test_a_strand_in_front_of_the_wall_is_hair_in_image_and_truth(cut, image, truth):
    spec = FaceSpec(with_cut(cut))
    parts, shown = truth(spec, SIZE).parts, image(spec, SIZE)
    hair = parts == FacePart.HAIR
    assert hair.mean() > 0.01
    assert shown[hair].mean() < shown[parts == FacePart.BACKGROUND].mean() - 60
    assert (parts == FacePart.EYES).sum() > 20


def test_hair_that_is_swapped_brings_its_strands_along(truth):
    bald, long = (FaceSpec(with_cut(cut)) for cut in (Cut.BUZZED, Cut.LONG))
    specs = (bald, intervene(bald, hair=long.subject), long)
    hair = [(truth(spec, SIZE).parts == FacePart.HAIR).mean() for spec in specs]
    assert hair[1] > hair[0] + 0.05
    assert hair[1] == pytest.approx(hair[2], abs=0.08)
