"""The mesh that rays meet: subdivided anatomy and round eyeballs."""

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from jaxtyping import Float, Float32, Int, Int8, Int32

from synthfaces.anatomy import Anatomy, Quads, mask_at_vertices
from synthfaces.maths import Array, normalized, smoothstep


@dataclass(frozen=True)
class Subdivision:
    """A finer mesh of quadrilaterals, with its vertices in the order corners, edges, faces."""

    smooth: Any  # (new, old) sparse weights of the Catmull-Clark surface
    linear: Any  # (new, old) sparse weights that leave old vertices alone and average elsewhere
    # (4 faces, 4) new vertex numbers; the four of a face follow one another
    quads: Quads


def subdivide(quads: Quads, vertices: int) -> Subdivision:
    """Split every quadrilateral into four."""
    faces = len(quads)
    following = np.roll(quads, -1, axis=1)
    keys = np.minimum(quads, following).astype(np.int64) * vertices + np.maximum(quads, following)
    unique, edge_of_side, uses = np.unique(keys, return_inverse=True, return_counts=True)
    edge_of_side = edge_of_side.reshape(faces, 4)
    ends = np.stack([unique // vertices, unique % vertices], axis=1)
    edges = len(ends)

    face_points = _gather(quads, vertices) / 4
    midpoints = _gather(ends, vertices) / 2
    faces_of_edge = _gather(edge_of_side, edges).T
    border = uses == 1
    edge_points = _where(border, midpoints, midpoints / 2 + faces_of_edge @ face_points / 4)
    corners = _corner_points(quads, ends, border, face_points, midpoints)
    middle = np.broadcast_to(vertices + edges + np.arange(faces)[:, None], (faces, 4))
    sides = vertices + edge_of_side
    split = np.stack([quads, sides, middle, np.roll(sides, 1, axis=1)], axis=2)
    return Subdivision(
        smooth=_stack(corners, edge_points, face_points),
        linear=_stack(sp.identity(vertices), midpoints, face_points),
        quads=split.reshape(-1, 4),
    )


def subdivide_corners(values: Float[np.ndarray, "f 4 c"]) -> Float[np.ndarray, "g 4 c"]:
    """Carry values at the corners of faces to the corners of the four new faces of each."""
    middles = (values + np.roll(values, -1, axis=1)) / 2
    centres = np.broadcast_to(values.mean(axis=1, keepdims=True), values.shape)
    split = np.stack([values, middles, centres, np.roll(middles, 1, axis=1)], axis=2)
    return split.reshape(-1, 4, values.shape[-1])


def triangulate(quads: Quads) -> Int[np.ndarray, "t 3"]:
    """Split each face into two triangles: first all first halves, then all second ones."""
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def _corner_points(
    quads: Quads, ends: Int[np.ndarray, "e 2"], border: Any, face_points: Any, midpoints: Any
) -> Any:
    """Move old vertices to F/n + 2R/n + (n - 3)P/n; unused ones and those on a border stay."""
    vertices = face_points.shape[1]
    faces_at = _gather(quads, vertices).T
    edges_at = _gather(ends, vertices).T
    valence = np.maximum(np.bincount(quads.ravel(), minlength=vertices), 1)
    degree = np.maximum(np.bincount(ends.ravel(), minlength=vertices), 1)
    moved = (
        sp.diags(1 / valence**2) @ faces_at @ face_points
        + sp.diags(2 / (valence * degree)) @ edges_at @ midpoints
        + sp.diags((valence - 3) / valence)
    )
    fixed = np.bincount(quads.ravel(), minlength=vertices) == 0
    fixed[ends[border].ravel()] = True
    return _where(fixed, sp.identity(vertices), moved)


def _gather(groups: Int[np.ndarray, "g k"], columns: int) -> Any:
    """Return the matrix (groups, columns) that sums the members of each group."""
    count, size = groups.shape
    places = (np.repeat(np.arange(count), size), groups.ravel())
    return sp.csr_matrix((np.ones(groups.size), places), (count, columns))


def _where(chosen: Any, yes: Any, no: Any) -> Any:
    """Return rows of `yes` where chosen, of `no` elsewhere."""
    return sp.diags(chosen.astype(float)) @ yes + sp.diags((~chosen).astype(float)) @ no


def _stack(*blocks: Any) -> Any:
    stacked = sp.vstack(blocks).tocsr().astype(np.float32)
    stacked.eliminate_zeros()
    return stacked


SMOOTH, STRANDS, NOTHING, FINE = np.arange(4, dtype=np.int8)
"""The kinds of surface for the sampling: smooth skin, hair, background, and finer detail."""

EYES = ("left-eye", "right-eye")
_SUBDIVIDED = ("skin", "upper-teeth", "lower-teeth", "tongue")
_LASHES = ("left-upper-lashes", "right-upper-lashes", "left-lower-lashes", "right-lower-lashes")
_LID_REACH, _LID_FRONT = 0.26, 0.045
_FINE = 0.02


class Part(IntEnum):
    """The part of the head that a triangle belongs to."""

    SKIN = 0
    TEETH = 1
    TONGUE = 2
    LEFT_EYE = 3
    RIGHT_EYE = 4
    STRANDS = 5


@dataclass(frozen=True)
class HeadMesh:
    """Topology and fixed fields of the head."""

    anatomy: Anatomy  # whose vertices control the subdivided parts
    parts: dict[str, slice]  # vertices of each part: skin, teeth, tongue, eyes
    smooth: Any  # (subdivided vertices, their control vertices) sparse Catmull-Clark weights
    linear: Any  # the same shape; carries a field known at the control vertices to all
    triangles: Int32[np.ndarray, "t 3"]  # vertex numbers
    material: Int8[np.ndarray, "t"]  # the `Part` of each triangle
    # vertices of the undeformed head, dm, on which the chart is defined
    template: Float32[np.ndarray, "v 3"]
    eyeball: Float32[np.ndarray, "e 3"]  # unit sphere around the gaze direction +z
    # per vertex 0..1: lips, mouth (its inside), ears (with what lies behind them cleared),
    # underside (of chin and jaw)
    masks: dict[str, Float32[np.ndarray, "v"]]
    lashes: Int32[np.ndarray, "l 3"]  # triangles over the anatomy's vertices, upper lashes first
    upper_lashes: int  # number of upper ones among them

    @property
    def controls(self) -> int:
        """The number of control vertices of the subdivided parts, the anatomy's first ones."""
        return int(self.smooth.shape[1])

    @cached_property
    def skin(self) -> slice:
        """The slice of the skin's vertices."""
        return self.parts["skin"]

    @cached_property
    def lids(self) -> dict[str, Int[np.ndarray, "_"]]:
        """The skin vertices that must stay outside the eyeball, per eye."""
        found = {}
        for eye in EYES:
            box = self.anatomy.vertices[self.anatomy.parts[eye]]
            offset = self.template[self.skin] - (box.max(axis=0) + box.min(axis=0)) / 2
            near = np.linalg.norm(offset, axis=1) < _LID_REACH
            found[eye] = np.flatnonzero(near & (offset[:, 2] > _LID_FRONT))
        return found

    @cached_property
    def traced(self) -> tuple[Int[np.ndarray, "_"], Any]:
        """The vertices at which light is traced, and the sparse weights that carry it to all."""
        subdivided = self.smooth.shape[0]
        others = np.arange(subdivided, len(self.template))
        spread = sp.block_diag([self.linear, sp.identity(len(others), np.float32)], format="csr")
        return np.concatenate([self._control_points(), others]), spread

    def _control_points(self) -> Int[np.ndarray, "_"]:
        """Return the vertices that stem from a control vertex: the first ones of each part."""
        sizes = [_length(self.anatomy.parts[part]) for part in _SUBDIVIDED]
        starts = [self.parts[part].start for part in _SUBDIVIDED]
        runs = zip(starts, sizes, strict=True)
        return np.concatenate([np.arange(start, start + size) for start, size in runs])

    def normals(self, vertices: Float32[np.ndarray, "v 3"]) -> Float32[np.ndarray, "v 3"]:
        """Return unit normals, the area-weighted mean over the triangles around each vertex."""
        axes = np.ascontiguousarray(vertices.T)
        a, b, c = (np.take(axes, corner, axis=1) for corner in self._corners)
        x, y, z = b - a
        right, up, out = c - a
        areas = np.stack([y * out - z * up, z * right - x * out, x * up - y * right], axis=1)
        return normalized(np.asarray(self._incidence @ areas))

    @cached_property
    def _corners(self) -> Int32[np.ndarray, "3 t"]:
        """The first, the second and the third corner of each triangle."""
        return np.ascontiguousarray(self.triangles.T)

    @cached_property
    def quick_triangles(self) -> Array:
        """The triangles as `ray_scene` reads them fastest: triples in an array of objects."""
        triples = np.empty(len(self.triangles), dtype=object)
        triples[:] = [tuple(triangle) for triangle in self.triangles.tolist()]
        return triples

    @cached_property
    def kind(self) -> Int8[np.ndarray, "t"]:
        """The kind of each triangle: `SMOOTH` if its shading varies little over a pixel, or `FINE`.

        Eyes and lids, lips, and the inside of the mouth are fine.
        """
        fine = (self.masks["lips"] > _FINE) | (self.masks["mouth"] > _FINE)
        for lid in self.lids.values():
            fine[lid] = True
        smooth = (self.material == Part.SKIN) & ~fine[self._corners].any(axis=0)
        return np.where(smooth, SMOOTH, FINE)

    @cached_property
    def lash_ends(self) -> Int32[np.ndarray, "_"]:
        """The numbers of the anatomy's vertices that the lashes consist of."""
        return np.unique(self.lashes)

    @cached_property
    def _incidence(self) -> Any:
        corners = self.triangles.ravel()
        places = (corners, np.repeat(np.arange(len(self.triangles)), 3))
        shape = (len(self.template), len(self.triangles))
        return sp.csr_matrix((np.ones(len(corners), np.float32), places), shape)


def ray_scene(vertices: Float32[np.ndarray, "v 3"], triangles: Array) -> EmbreeScene:
    """Return an Embree scene of these triangles, (t, 3) numbers or `quick_triangles`.

    The wrapper reads each number by itself, which is fastest for Python's own types.
    """
    scene = EmbreeScene()
    TriangleMesh(scene, np.ascontiguousarray(vertices, dtype=np.float64), triangles)
    return scene


def build_mesh(anatomy: Anatomy) -> HeadMesh:
    """Subdivide the anatomy once and add eyeballs."""
    pieces = {
        part: subdivide(anatomy.quads[part], _length(anatomy.parts[part])) for part in _SUBDIVIDED
    }
    ball, ball_triangles = eyeball()
    blocks = [
        (part, int(step.smooth.shape[0]), triangulate(step.quads)) for part, step in pieces.items()
    ]
    blocks += [(eye, len(ball), ball_triangles) for eye in EYES]
    ends = np.cumsum([size for _, size, _ in blocks]).tolist()
    parts = {
        part: slice(end - size, end) for (part, size, _), end in zip(blocks, ends, strict=True)
    }
    smooth = sp.block_diag([step.smooth for step in pieces.values()], format="csr")

    template = np.zeros((ends[-1], 3), np.float32)
    template[: smooth.shape[0]] = smooth @ anatomy.vertices[: smooth.shape[1]]
    triangles = np.concatenate([mesh + parts[part].start for part, _, mesh in blocks])
    lashes = [triangulate(anatomy.quads[part]) + anatomy.parts[part].start for part in _LASHES]
    return HeadMesh(
        anatomy=anatomy,
        parts=parts,
        smooth=smooth,
        linear=sp.block_diag([step.linear for step in pieces.values()], format="csr"),
        triangles=triangles.astype(np.int32),
        material=np.concatenate(
            [np.full(len(mesh), _material(part), np.int8) for part, _, mesh in blocks]
        ),
        template=template,
        eyeball=ball,
        masks=_masks(anatomy, pieces["skin"], template, triangles),
        lashes=np.concatenate(lashes).astype(np.int32),
        upper_lashes=len(lashes[0]) + len(lashes[1]),
    )


def eyeball(rings: int = 20, spokes: int = 32) -> tuple[Float32[np.ndarray, "e 3"], Array]:
    """Return vertices and triangles of a unit sphere around +z, open at the back."""
    polar = np.linspace(0.05, 1, rings) * np.pi * 0.75
    around = np.arange(spokes) * 2 * np.pi / spokes
    sine, cosine = np.sin(polar)[:, None], np.cos(polar)[:, None]
    ring = np.stack([sine * np.cos(around), sine * np.sin(around), cosine + 0 * around], axis=-1)
    points = np.concatenate([[[0, 0, 1]], ring.reshape(-1, 3)]).astype(np.float32)
    first = 1 + np.arange(spokes)
    fan = np.stack([np.zeros(spokes, int), first, np.roll(first, -1)], axis=1)
    numbers = 1 + np.arange(rings * spokes).reshape(rings, spokes)
    near, far = numbers[:-1], numbers[1:]
    sides = [near, far, np.roll(far, -1, axis=1), np.roll(near, -1, axis=1)]
    return points, np.concatenate([fan, triangulate(np.stack(sides, axis=-1).reshape(-1, 4))])


def _material(part: str) -> Part:
    if part.endswith("teeth"):
        return Part.TEETH
    return Part[part.upper().replace("-", "_")]


def _masks(
    anatomy: Anatomy,
    skin: Subdivision,
    template: Float32[np.ndarray, "v 3"],
    triangles: Int[np.ndarray, "t 3"],
) -> dict[str, Float32[np.ndarray, "v"]]:
    """Return the skin's masks at all vertices; they are zero off the skin."""
    uv = subdivide_corners(anatomy.skin_uv)
    count = skin.smooth.shape[0]
    drawn = {
        name: mask_at_vertices(mask, uv, skin.quads, count) for name, mask in anatomy.masks.items()
    }
    points = template[:count]
    is_ear = (np.abs(points[:, 0]) > 0.62) & (points[:, 1] > 6.4) & (points[:, 1] < 7.7)
    down = -_template_normals(template, triangles)[:count, 1]
    fields = {
        "lips": drawn["lips"],
        "mouth": drawn["inside-mouth"],
        "ears": np.clip(drawn["ears"] * 1.5, 0, 1) * is_ear,
        "underside": smoothstep(0.45, 0.75, down) * (points[:, 1] < 6.45),
    }
    padding = np.zeros(len(template) - count)
    return {name: np.concatenate([x, padding]).astype(np.float32) for name, x in fields.items()}


def _template_normals(
    template: Float32[np.ndarray, "v 3"], triangles: Int[np.ndarray, "t 3"]
) -> Float32[np.ndarray, "v 3"]:
    a, b, c = (template[triangles[:, corner]] for corner in range(3))
    total = np.zeros_like(template)
    np.add.at(total, triangles, np.cross(b - a, c - a)[:, None])
    return normalized(total)


def _length(part: slice) -> int:
    return int(part.stop - part.start)
