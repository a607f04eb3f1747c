"""Each knob of the synthetic set changes what it should, and nothing else."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from synthfaces.expressions import EXPRESSIONS, Head, sides
from synthfaces.lighting import Light
from synthfaces.parameters import EMOTIONS, GAZES, KNOBS, SUBJECTS, USUAL, Difficulty
from synthfaces.people import design
from synthfaces.rendering import fingerprint, render, render_face
from synthfaces.specification import FaceSpec, face_spec, face_specs

SIZE = 32
SHOTS = ((2, "neutral", "left"), (2, "happy", "frontal"), (9, "sad", "right"))
STILL = Difficulty(**{**dict.fromkeys(KNOBS, 0.0), "intensity": 1.0}, crop="head")


def drawn(spec: FaceSpec) -> dict[str, object]:
    """Everything that is drawn for a shot, by name."""
    shown, nuisance = spec.expression, vars(spec.nuisance)
    actions = dict(shown.actions)
    lids = {name for name in actions if name.startswith(("eyeLookIn", "eyeLookOut"))}
    return {
        "actions": {name: weight for name, weight in actions.items() if name not in lids},
        "gaze_turn": (shown.gaze_yaw, {name: actions[name] for name in lids}),
        "gaze_height": shown.gaze_pitch,
        "head_turn": spec.head.turn,
        "head_nod": spec.head.nod,
        "light_turn": spec.light.turn,
        "light_strength": (spec.light.key, spec.light.fill, spec.light.dome),
        **nuisance,
    }


def changes(knobs: Difficulty) -> set[str]:
    """What differs from the usual set in any of some shots."""
    found = set()
    for shot in SHOTS:
        before, after = (drawn(face_spec(*shot, difficulty=each)) for each in (USUAL, knobs))
        found |= {name for name in before if before[name] != after[name]}
    return found


def test_a_knob_changes_what_it_is_for_and_no_other_draw():
    assert changes(USUAL) == set()
    of_actions = ["intensity", "intensity_spread", "wavering", "idiosyncrasy", "asymmetry"]
    for knob, (_, high) in KNOBS.items():
        changed = "actions" if knob in (*of_actions, "restlessness") else knob
        higher = replace(USUAL, **{knob: (getattr(USUAL, knob) + high) / 2})
        assert changes(higher) == {changed}, knob


def test_expressions_at_rest_are_left_alone_by_intensity_and_others_by_restlessness():
    def actions(emotion: str, **knobs: float) -> object:
        return drawn(face_spec(2, emotion, difficulty=Difficulty(**knobs)))["actions"]

    assert actions("neutral", intensity=0.5) == actions("neutral")
    assert actions("happy", restlessness=0.2) == actions("happy")
    assert actions("neutral", restlessness=0.2) != actions("neutral")


def test_without_any_spread_all_subjects_show_the_same_before_the_same_camera():
    for emotion, gaze in product(EMOTIONS, GAZES):
        one, other = (face_spec(who, emotion, gaze, difficulty=STILL) for who in (3, 9))
        first, second = drawn(one), drawn(other)
        assert first.pop("grain") != second.pop("grain")
        if emotion != "contemptuous":  # has a side, which is a trait
            assert first == second
    assert (one.head, one.light) == (Head(), Light())
    assert one.nuisance.noise == one.nuisance.roll == one.nuisance.exposure == 0
    assert (one.nuisance.shift, one.nuisance.scale) == ((0, 0), 1)


def test_intensity_is_the_factor_on_an_emotion():
    half = replace(STILL, intensity=0.5)
    shown = face_spec(3, "surprised", difficulty=half).expression.actions
    expected = {
        name: weight / 2
        for action, weight in EXPRESSIONS["surprised"].items()
        for name in sides(action)
    }
    assert shown == pytest.approx(expected)
    nothing = replace(STILL, intensity=0)
    assert not any(face_spec(3, "happy", difficulty=nothing).expression.actions.values())


@pytest.mark.parametrize(
    ("knob", "value", "neutral"),
    [
        ("head_turn", lambda spec: spec.head.turn, 0.0),
        ("head_nod", lambda spec: spec.head.nod, 0.0),
        ("light_turn", lambda spec: spec.light.turn, 0.0),
        ("light_strength", lambda spec: np.log(spec.light.fill), 0.0),
        ("shift", lambda spec: spec.nuisance.shift[1], 0.0),
        ("scale", lambda spec: np.log(spec.nuisance.scale), 0.0),
        ("roll", lambda spec: np.degrees(spec.nuisance.roll), 0.0),
        ("exposure", lambda spec: spec.nuisance.exposure, 0.0),
        ("gaze_height", lambda spec: spec.expression.gaze_pitch, -1.0),
    ],
)
def test_a_deviation_scales_draws_that_stay(knob, value, neutral):
    high = KNOBS[knob][1] / 2

    def values(share: float) -> np.ndarray:
        knobs = replace(STILL, **{knob: share * high})
        return np.array([value(face_spec(who, "happy", difficulty=knobs)) for who in SUBJECTS])

    assert values(0) == pytest.approx(neutral)
    full = values(1) - neutral
    assert values(0.5) - neutral == pytest.approx(full / 2)
    assert full.std() == pytest.approx(high, rel=0.3)


def test_all_cameras_of_a_shot_see_the_same_head_in_the_same_light():
    knobs = Difficulty(head_turn=5, head_nod=5, light_turn=20, light_strength=0.2)
    frontal = face_spec(3, "happy", "left", difficulty=knobs)
    for angle in (0, 45, 135, 180):
        other = face_spec(3, "happy", "left", angle, difficulty=knobs)
        assert (other.head, other.light) == (frontal.head, frontal.light)
    assert face_spec(3, "happy", "right", difficulty=knobs).head != frontal.head


def test_every_knob_makes_another_fingerprint():
    knobs = [replace(USUAL, **{name: getattr(USUAL, name) + 0.01}) for name in KNOBS]
    prints = [fingerprint(SIZE, 0, each) for each in (USUAL, STILL, *knobs)]
    prints += [fingerprint(SIZE, 1), fingerprint(2 * SIZE, 0)]
    assert len(set(prints)) == len(KNOBS) + 4
    assert fingerprint(SIZE, 0, Difficulty()) == prints[0]


def test_a_set_of_another_difficulty_is_kept_apart_and_as_it_is_described(tmp_path):
    table = design(1, angles=(90,)).iloc[[0, 10]].reset_index(drop=True)
    hard = Difficulty(head_turn=6, head_nod=4, light_turn=30, light_strength=0.3, noise=0.05)
    usual, other = (
        render(table, SIZE, tmp_path, workers=1, progress=False, difficulty=knobs)
        for knobs in (USUAL, hard)
    )
    assert np.abs(usual.astype(int) - other).mean() > 3
    for spec, image in zip(face_specs(table, difficulty=hard), other, strict=True):
        assert np.array_equal(render_face(spec, SIZE), image)
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == {fingerprint(SIZE, 0), fingerprint(SIZE, 0, hard)}


def test_noise_is_what_the_sensor_adds_and_grain_its_draw(image):
    clean, noisy = (
        image(face_spec(1, "neutral", difficulty=knobs), SIZE)
        for knobs in (STILL, replace(STILL, noise=0.02))
    )
    wall = clean[:5, [0, 1, -2, -1]]
    assert wall.min() == wall.max()
    face = noisy[12:24, 10:22] - clean[12:24, 10:22]
    assert face.std() == pytest.approx(0.02 * 255, rel=0.1)
