"""Synthetic faces: RaFD's factorial design, with people that do not exist.

67 subjects x 8 emotions x 3 gazes x up to 5 angles, rendered on the CPU from CC0 anatomy
(LICENSE.md). All of it is made up: no photograph of anybody enters.
"""

from synthfaces.camera import Camera, Nuisance
from synthfaces.dataset import VERSION, fingerprint, render
from synthfaces.design import design
from synthfaces.difficulty import USUAL, Difficulty
from synthfaces.expressions import Expression
from synthfaces.face_parts import FacePart
from synthfaces.head import Head
from synthfaces.interventions import intervene
from synthfaces.landmarks import Landmarks
from synthfaces.lighting import Light
from synthfaces.parameters import ACTIONS, SUBJECTS
from synthfaces.rafd_form import write_rafd
from synthfaces.single import (
    ground_truth,
    render_face,
    render_shot,
    render_with_parts,
)
from synthfaces.specification import FaceSpec, face_spec, face_specs
from synthfaces.truth import Truth

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
