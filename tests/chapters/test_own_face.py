"""Where an intervention changes an image: counts, tables, pictures."""

import numpy as np

from synthfaces import FacePart, FaceSpec, Head, ground_truth, intervene, render_face
from tinyvgg import files as paths
from tinyvgg.chapters.own_face import (
    PART_COLOURS,
    RAMP,
    Seen,
    compare,
    difference_picture,
    parts_picture,
    see,
)

SIZE = 32
SPEC = FaceSpec(1)


def made_up(value: int, *changed: tuple[int, int]) -> Seen:
    """Two rows of forehead over two of chin, all gray, but for some pixels that are redder."""
    image = np.full((4, 4, 3), 100, np.uint8)
    for place in changed:
        image[place] = (value, 101, 100)
    parts = np.repeat(np.uint8([FacePart.FOREHEAD, FacePart.CHIN]), 8).reshape(4, 4)
    return Seen(SPEC, image, parts)


def test_a_shot_is_seen_as_it_is_rendered_with_its_parts(anatomy_folder, monkeypatch):
    monkeypatch.setattr(paths, "faces_cache", lambda: anatomy_folder)
    spec = intervene(intervene(SPEC, actions={"jawOpen": 0.5}), head=Head(turn=15))
    seen = see(spec, SIZE)
    np.testing.assert_array_equal(seen.image, render_face(spec, SIZE, anatomy_folder))
    np.testing.assert_array_equal(seen.parts, ground_truth(spec, SIZE, anatomy_folder).parts)
    assert seen.spec == spec


def test_a_change_counts_pixels_by_the_part_that_they_had_before():
    before, after = made_up(100), made_up(90, (0, 0), (0, 1), (3, 3))
    moved = Seen(SPEC, after.image, np.full((4, 4), FacePart.HAIR, np.uint8))
    change, parts = compare(before, moved), [FacePart.FOREHEAD, FacePart.CHIN, FacePart.HAIR]
    assert change.pixels[parts].tolist() == [8, 8, 0]
    assert change.changed[parts].tolist() == [2, 1, 0]
    assert change.most[parts].tolist() == [10, 10, 0]
    assert change.levels[0, 0] == 10
    assert np.count_nonzero(change.levels) == 3
    assert change.equal == 13 / 16


def test_a_difference_has_no_sign_and_takes_the_colour_that_differs_most():
    before, after = made_up(0, (1, 1)), made_up(255, (1, 1))
    assert compare(before, after).levels[1, 1] == compare(after, before).levels[1, 1] == 255


def test_a_difference_is_white_where_there_is_none_and_darker_where_there_is_more():
    picture = difference_picture(np.arange(256, dtype=np.uint8).reshape(16, 16)).reshape(256, 3)
    assert (picture[0] == 255).all()
    assert (picture[1] < 255).any()
    brightness = picture.astype(int).sum(axis=1)
    assert (np.diff(brightness) <= 0).all()
    assert brightness[0] - brightness[1] > 60
    np.testing.assert_array_equal(picture, RAMP)


def test_parts_are_tinted_each_in_its_own_colour():
    image = np.full((1, len(FacePart), 3), 100, np.uint8)
    parts = np.arange(len(FacePart), dtype=np.uint8)[None]
    tinted = parts_picture(image, parts)[0]
    for part in FacePart:
        colour = np.frombuffer(bytes.fromhex(PART_COLOURS[part][1:]), np.uint8).astype(float)
        np.testing.assert_allclose(tinted[part], (100 + colour) / 2, atol=0.5)
    assert len(set(PART_COLOURS.values())) == len(FacePart)
