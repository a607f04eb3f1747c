import itertools

import numpy as np
import pytest

from synthfaces.mesh import subdivide, subdivide_corners, triangulate

CUBE = np.array(
    [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
)
CUBE_POINTS = np.array(list(itertools.product((-1.0, 1.0), repeat=3)))


def grid(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Quads and points of a flat square with one vertex that no face uses."""
    numbers = np.arange(side * side).reshape(side, side)
    corners = [numbers[:-1, :-1], numbers[1:, :-1], numbers[1:, 1:], numbers[:-1, 1:]]
    x, y = np.meshgrid(np.arange(side), np.arange(side), indexing="ij")
    points = np.stack([x.ravel(), y.ravel(), 0.3 * x.ravel()], axis=1).astype(np.float64)
    return np.stack(corners, axis=-1).reshape(-1, 4), np.vstack([points, [9.0, 9.0, 9.0]])


def catmull_clark_reference(quads: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The rules of the 1978 paper, one vertex at a time, in float64."""
    faces = [list(map(int, quad)) for quad in quads]
    face_points = [np.mean(points[face], axis=0) for face in faces]
    sharing: dict[tuple[int, int], list[int]] = {}
    for number, face in enumerate(faces):
        for a, b in zip(face, face[1:] + face[:1], strict=True):
            sharing.setdefault((min(a, b), max(a, b)), []).append(number)
    edge_points = []
    for (a, b), around in sorted(sharing.items()):
        ends = [points[a], points[b]]
        inner = len(around) == 2
        edge_points.append(np.mean(ends + [face_points[f] for f in around] * inner, axis=0))
    moved = []
    for number, point in enumerate(points):
        around = [f for f, face in enumerate(faces) if number in face]
        edges = [edge for edge in sharing if number in edge]
        if not around or any(len(sharing[edge]) == 1 for edge in edges):
            moved.append(point)
            continue
        n = len(around)
        faces_mean = np.mean([face_points[f] for f in around], axis=0)
        edges_mean = np.mean([(points[a] + points[b]) / 2 for a, b in edges], axis=0)
        moved.append((faces_mean + 2 * edges_mean + (n - 3) * point) / n)
    return np.array([*moved, *edge_points, *face_points])


@pytest.mark.parametrize(("quads", "points"), [(CUBE, CUBE_POINTS), grid(4)])
class TestAnyMesh:
    def test_new_vertices_are_those_of_the_slow_reference(self, quads, points):
        smooth = subdivide(quads, len(points)).smooth @ points
        np.testing.assert_allclose(smooth, catmull_clark_reference(quads, points), atol=1e-6)

    def test_linear_weights_average_and_leave_old_vertices_and_corner_values_alone(
        self, quads, points
    ):
        step = subdivide(quads, len(points))
        for matrix in (step.smooth, step.linear):
            np.testing.assert_allclose(np.asarray(matrix.sum(axis=1)), 1, atol=1e-6)
            assert matrix.min() >= 0
        fine = step.linear @ points
        np.testing.assert_allclose(fine[: len(points)], points, atol=1e-6)
        np.testing.assert_allclose(subdivide_corners(points[quads]), fine[step.quads], atol=1e-6)

    def test_new_faces_cover_what_the_old_ones_covered(self, quads, points):
        step = subdivide(quads, len(points))

        def areas(faces, vertices):
            a, b, c = (vertices[triangulate(faces)[:, corner]] for corner in range(3))
            return np.cross(b - a, c - a)

        after, before = areas(step.quads, step.linear @ points), areas(quads, points)
        sizes = (np.linalg.norm(one, axis=1).sum() for one in (after, before))
        assert next(sizes) == pytest.approx(next(sizes))
        np.testing.assert_allclose(after.sum(axis=0), before.sum(axis=0), atol=1e-4)
