"""Synthetic faces: RaFD's factorial design, with people that do not exist.

67 subjects x 8 emotions x 3 gazes x up to 5 angles, rendered on the CPU from CC0 anatomy
(LICENSE.md). All of it is made up: no photograph of anybody enters.
"""

from tinyvgg.difficulty import USUAL, Difficulty
from tinyvgg.face_parameters import ACTIONS, SUBJECTS
from tinyvgg.faces.synthetic.camera import Camera, Nuisance
from tinyvgg.faces.synthetic.dataset import VERSION, fingerprint, render
from tinyvgg.faces.synthetic.design import design
from tinyvgg.faces.synthetic.expressions import Expression
from tinyvgg.faces.synthetic.face_parts import FacePart
from tinyvgg.faces.synthetic.head import Head
from tinyvgg.faces.synthetic.interventions import intervene
from tinyvgg.faces.synthetic.landmarks import Landmarks
from tinyvgg.faces.synthetic.lighting import Light
from tinyvgg.faces.synthetic.rafd_form import write_rafd
from tinyvgg.faces.synthetic.single import (
    ground_truth,
    render_face,
    render_shot,
    render_with_parts,
)
from tinyvgg.faces.synthetic.specification import FaceSpec, face_spec, face_specs
from tinyvgg.faces.synthetic.truth import Truth

__all__ = [
    "ACTIONS",
    "SUBJECTS",
    "USUAL",
    "VERSION",
    "Camera",
    "Difficulty",
    "Expression",
    "FacePart",
    "FaceSpec",
    "Head",
    "Landmarks",
    "Light",
    "Nuisance",
    "Truth",
    "design",
    "face_spec",
    "face_specs",
    "fingerprint",
    "ground_truth",
    "intervene",
    "render",
    "render_face",
    "render_shot",
    "render_with_parts",
    "write_rafd",
]
