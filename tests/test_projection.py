"""Maps: few texts, copies, agreement with known geometry, alignment, trust, warming up."""

import os
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from inbedder_core import projection
from inbedder_core.errors import InputError
from inbedder_core.projection import align, is_warm, project, trustworthiness, warm_up
from inbedder_core.similarity import unit_vectors

METHODS = ["umap", "pca", "mds"]
every_method = pytest.mark.parametrize("method", METHODS)
MAPS = st.integers(1, 8).flatmap(
    lambda n: arrays(np.float32, (n, 2), elements=st.floats(-100, 100, width=32))
)
SEEDS = st.integers(0, 10_000)


def around(of, spread=0.3, seed=0, d=24):
    rng = np.random.default_rng(seed)
    return unit_vectors(np.eye(d)[of] + rng.normal(size=(len(of), d)) * spread / np.sqrt(d))


def scattered(n, d=16, seed=0):
    return unit_vectors(np.random.default_rng(seed).normal(size=(n, d)))


def distances(points):
    points = points.astype(float)
    return np.linalg.norm(points[:, None] - points[None], axis=2)


def radius(points):
    return float(np.sqrt(np.square(points - points.mean(axis=0)).sum(axis=1).mean()))


def is_sound(found, n):
    assert found.xy.shape == (n, 2)
    assert found.trust.shape == (n,)
    assert found.xy.dtype == found.trust.dtype == np.float32
    assert np.isfinite(found.xy).all()
    assert ((found.trust >= 0) & (found.trust <= 1)).all()
    if n:
        np.testing.assert_allclose(found.xy.mean(axis=0), 0, atol=1e-3)
    return True


@every_method
@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 8, 16, 29, 30, 31, 40])
def test_any_number_of_texts(method, n):
    found = project(scattered(n), method=method)
    assert is_sound(found, n)
    assert found.method == ("mds" if method == "umap" and n < 30 else method)
    if 0 < n <= 11:
        assert (found.trust == 1).all()


@every_method
@pytest.mark.parametrize("row", [[0.6, 0.8, 0], [0, 0, 0]])
def test_identical_texts_share_one_point(method, row):
    found = project(np.tile(np.float32(row), (60, 1)), method=method)
    assert is_sound(found, 60)
    assert not found.xy.any()
    assert (found.trust == 1).all()


@every_method
def test_copies_share_a_point(method):
    once = scattered(40)
    vectors = np.vstack([once, once[::-1], once[:7]])
    found = project(vectors, method=method)
    assert is_sound(found, 87)
    assert (found.xy[:40] == found.xy[40:80][::-1]).all()
    assert (found.xy[:7] == found.xy[80:]).all()
    assert (found.trust[:40] == found.trust[40:80][::-1]).all()
    single = project(once, method=method)
    np.testing.assert_allclose(distances(found.xy[:40]), distances(single.xy), rtol=1e-3, atol=1e-3)


def test_umap_counts_distinct_texts():
    assert project(np.tile(scattered(29), (4, 1))).method == "mds"
    assert project(np.vstack([scattered(30), np.zeros((1, 16), np.float32)])).method == "umap"


def test_two_texts_are_as_far_apart_as_their_vectors():
    vectors = unit_vectors(np.array([[1, 0], [1, 1]], np.float32))
    for method, expected in (
        ("mds", np.pi / 4),
        ("umap", np.pi / 4),
        ("pca", 2 * np.sin(np.pi / 8)),
    ):
        found = project(vectors, method=method)
        assert np.linalg.norm(found.xy[0] - found.xy[1]) == pytest.approx(expected, rel=1e-5)
        assert not found.xy[:, 1].any()


@given(SEEDS)
def test_mds_draws_three_texts_exactly(seed):
    """Their angles; even where 1 - cosine breaks the triangle inequality, as on a fan."""
    vectors = scattered(3, d=2 + seed % 5, seed=seed)
    angles = np.arccos(np.clip(vectors.astype(float) @ vectors.T.astype(float), -1, 1))
    np.testing.assert_allclose(distances(project(vectors).xy), angles, atol=2e-3)


def test_pca_is_the_singular_value_decomposition():
    for n, d in ((50, 8), (8, 50)):
        vectors = scattered(n, d)
        centred = vectors - vectors.mean(axis=0)
        u, s, _ = np.linalg.svd(centred, full_matrices=False)
        found = project(vectors, method="pca").xy
        np.testing.assert_allclose(np.abs(found), np.abs(u[:, :2] * s[:2]), atol=1e-5)


def test_mds_of_too_many_texts_is_pca(monkeypatch):
    monkeypatch.setattr(projection, "MOST_FOR_MDS", 20)
    assert project(scattered(20), method="mds").method == "mds"
    found = project(scattered(21), method="mds")
    assert found.method == "pca"
    assert (found.xy == project(scattered(21), method="pca").xy).all()


@every_method
def test_groups_stay_together(method):
    of = np.arange(60) % 4
    apart = distances(project(around(of), method=method).xy)
    same = of[:, None] == of[None]
    nearest = np.argsort(apart, axis=1)[:, 1:6]
    assert (of[nearest] == of[:, None]).mean() > 0.9
    assert apart[same].mean() < apart[~same].mean() / 2


@every_method
def test_the_same_input_gives_the_same_map(method):
    vectors, start = around(np.arange(50) % 3, spread=2), scattered(50, 2, seed=5)
    for init in (None, start):
        one, two = (project(vectors, method=method, init=init) for _ in range(2))
        assert one.xy.tobytes() == two.xy.tobytes()
        assert one.trust.tobytes() == two.trust.tobytes()


@every_method
def test_the_order_of_the_texts_does_not_matter(method):
    vectors, start = around(np.arange(50) % 3, spread=2), scattered(50, 2, seed=5)
    order = np.random.default_rng(0).permutation(50)
    found = project(vectors, method=method, init=start)
    shuffled = project(vectors[order], method=method, init=start[order])
    np.testing.assert_allclose(shuffled.xy, found.xy[order], atol=1e-5)
    assert (shuffled.trust == found.trust[order]).all()


def test_umap_listens_to_its_settings():
    vectors = around(np.arange(60) % 4, spread=2)
    usual = project(vectors)
    for other in ({"n_neighbors": 4}, {"min_dist": 0.9}, {"seed": 7}):
        changed = project(vectors, **other)
        assert is_sound(changed, 60)
        assert not np.allclose(changed.xy, usual.xy)


@pytest.mark.parametrize("n_neighbors", [2, 3, 29, 30, 200])
def test_umap_takes_any_neighborhood(n_neighbors):
    assert is_sound(project(scattered(30), n_neighbors=n_neighbors), 30)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"method": "tsne"}, "no map called 'tsne'; choose one of umap, pca, mds"),
        ({"n_neighbors": 1}, "at least 2 neighbours and was given 1"),
        ({"min_dist": 1.0}, "minimum distance is 1.0; choose 0 to 0.99"),
        ({"min_dist": -0.1}, "minimum distance is -0.1"),
    ],
)
def test_impossible_settings_are_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        project(scattered(3), **wrong)


@pytest.mark.parametrize("size", [0.0, 1e-30, 1e-3, 1e6])
def test_umap_starts_from_any_map(size):
    vectors = around(np.arange(40) % 4)
    start = scattered(40, 2, seed=3) * np.float32(size)
    assert is_sound(project(vectors, init=start), 40)
    half = np.where(np.arange(40)[:, None] < 20, start[:1], start)
    assert is_sound(project(vectors, init=half), 40)


def test_a_map_that_starts_from_another_stays_near_it():
    of = np.arange(120) % 5
    a, b = around(of, spread=1), around(of, spread=1, seed=1)
    reference = project(a).xy

    def shift(points):
        return float(np.linalg.norm(align(points, reference) - reference, axis=1).mean())

    assert shift(project(b, init=reference).xy) < 0.5 * radius(reference)
    assert shift(project(b, init=reference).xy) < shift(project(b).xy)


@settings(max_examples=40)
@given(st.integers(0, 45), st.sampled_from(METHODS), st.data())
def test_vectors_however_odd_give_a_finite_map(n, method, data):
    few = data.draw(arrays(np.float32, (n, 3), elements=st.sampled_from([0, 1, -1, 1e-30, 1e-6])))
    seed = data.draw(SEEDS)
    noise = np.random.default_rng(seed).normal(size=few.shape).astype(np.float32)
    vectors = unit_vectors(few + noise * np.float32(data.draw(st.sampled_from([0, 1e-7, 1]))))
    assert is_sound(project(vectors, method=method), n)


@given(MAPS, st.floats(0, 6.3), st.booleans(), st.floats(0.1, 10), st.floats(-50, 50))
def test_align_undoes_turning_mirroring_scaling_and_moving(reference, angle, mirrored, scale, by):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = reference @ turn @ np.diag([1, -1 if mirrored else 1]) * scale + by
    found = align(moved.astype(np.float32), reference)
    assert found.dtype == np.float32
    expected = reference - reference.mean(axis=0)
    size = max(1.0, float(np.abs(reference).max()), abs(by) / scale)
    if radius(reference) > 1e-2:
        np.testing.assert_allclose(found, expected, atol=1e-3 * size)


@given(MAPS, SEEDS)
def test_align_never_distorts(xy, seed):
    reference = np.random.default_rng(seed).normal(size=xy.shape).astype(np.float32)
    found = align(xy, reference)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-4)
    if len(xy) > 1 and radius(xy) > 1e-2:
        assert radius(found) == pytest.approx(radius(reference), rel=1e-3)
        ratio = radius(reference) / radius(xy)
        np.testing.assert_allclose(distances(found), distances(xy) * ratio, atol=1e-2)


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_align_of_points_that_coincide(n):
    here, there = np.full((n, 2), 3, np.float32), scattered(n, 2)
    assert not align(here, there).any()
    np.testing.assert_allclose(align(there, here), there - there.sum(0) / max(n, 1), atol=1e-6)
    assert align(here, here).shape == (n, 2)


def test_trust_is_the_share_of_neighbors_that_are_right():
    angle = np.linspace(0, 1, 12) ** 1.1  # no two neighbours equally far
    vectors = unit_vectors(np.column_stack([np.cos(angle), np.sin(angle)]))
    line = np.column_stack([angle, np.zeros(12)]).astype(np.float32)
    assert (trustworthiness(vectors, line, k=2) == 1).all()
    swapped = line.copy()
    swapped[[0, 11]] = line[[11, 0]]
    trust = trustworthiness(vectors, swapped, k=2)
    assert trust.dtype == np.float32
    assert trust[0] == trust[11] == 0
    assert trust[1] == 0.5
    assert trust[5] == 1


@pytest.mark.parametrize("n", [0, 1, 2, 5, 11])
def test_trust_with_no_more_others_than_neighbors(n):
    assert trustworthiness(scattered(n), scattered(n, 2, seed=1)).tolist() == [1] * n


def test_trust_of_a_random_map_is_chance():
    trust = trustworthiness(scattered(400), scattered(400, 2, seed=1), k=20)
    assert trust.mean() == pytest.approx(20 / 399, abs=0.02)


def test_trust_of_a_projection_is_that_of_its_map():
    vectors = np.vstack([scattered(60), scattered(60)[:20]])
    for method in METHODS:
        found = project(vectors, method=method)
        assert (found.trust == trustworthiness(vectors, found.xy)).all()


def test_maps_from_several_threads_are_those_from_one():
    views = [around(np.arange(45) % 3, spread=2, seed=seed) for seed in range(4)]
    expected = [project(view).xy for view in views]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda view: project(view).xy, views))
    assert all((a == b).all() for a, b in zip(expected, found, strict=True))


def test_umap_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        project(scattered(40))
        project(scattered(40, seed=1), init=scattered(40, 2))


def test_warming_up():
    """In a process of its own: nothing heavy before it, nothing left to compile after it."""
    script = """
import sys, threading, time, warnings
warnings.simplefilter("error")
from inbedder_core import projection
assert not projection.is_warm()
assert not {"umap", "numba", "sklearn", "scipy"} & set(sys.modules), "imported too early"
thread = threading.Thread(target=projection.warm_up)
thread.start()
thread.join()
assert projection.is_warm()
import numpy as np
vectors = np.eye(50, dtype=np.float32)
start = time.process_time()
projection.project(vectors, init=vectors[:, :2])
print(time.process_time() - start)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=os.environ
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 2  # compiling takes 7 seconds
    warm_up()
    assert is_warm()


@every_method
def test_neighbours_that_are_known_change_nothing(method):
    rows = scattered(40, 8)
    rows[5] = rows[3]
    known = projection.nearest_rows(rows, 12)
    assert known[0].shape == (39, 12)
    found = project(rows, method=method, n_neighbors=12, nearest=known)
    expected = project(rows, method=method, n_neighbors=12)
    np.testing.assert_array_equal(found.xy, expected.xy)
    np.testing.assert_array_equal(found.trust, expected.trust)
