"""Synthetic faces: RaFD's factorial design, with people that do not exist.

67 subjects x 8 emotions x 3 gazes x up to 5 angles, rendered on the CPU from CC0 anatomy
(LICENSE.md). All of it is made up: no photograph of anybody enters.
"""

from tinyvgg.faces.synthetic.dataset import VERSION, fingerprint, render, render_shot
from tinyvgg.faces.synthetic.design import SUBJECTS, design

__all__ = ["SUBJECTS", "VERSION", "design", "fingerprint", "render", "render_shot"]
