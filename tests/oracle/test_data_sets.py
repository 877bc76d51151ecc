"""Data sets against what they are said to be: scikit-learn, the authors' generator, the published files, geometry."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.interpolate import interp1d
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_digits, load_iris, load_wine, make_circles, make_moons

from mbsgd_core.errors import DataError
from mbsgd_core.experiment import Experiment
from mbsgd_core.problems.datasets import _mnist_files
from mbsgd_core.problems.datasets.base import stored
from mbsgd_core.problems.datasets.mnist import Mnist, _table
from tests.contract._items import dataset

REAL = Path(os.environ.get("MBSGD_DATA") or Path(__file__).parents[2] / "../shared/data/mnist")
needs_files = pytest.mark.skipif(
    not all((REAL / file.name).is_file() for file in _mnist_files.FILES),
    reason="needs the four MNIST files in the folder MBSGD_DATA",
)


@pytest.fixture
def real(monkeypatch):
    monkeypatch.setenv("MBSGD_DATA", str(REAL))


def by_class(table):
    """The points of each class, sorted; coordinates that differ by rounding alone count as one."""
    groups = [table.x[table.y == label] for label in range(len(table.classes))]
    return [group[np.lexsort(group.round(9).T)] for group in groups]


@pytest.mark.parametrize("samples", [2, 5, 200])
@pytest.mark.parametrize(
    ("name", "knobs", "make"),
    [
        ("moons", {}, make_moons),
        ("circles", {"factor": 0.8}, make_circles),
        ("circles", {"factor": 0.3}, lambda samples: make_circles(samples, factor=0.3)),
    ],
)
def test_without_noise_the_points_are_scikit_learns(name, knobs, make, samples):
    table = dataset(name, samples=samples, noise=0, **knobs).table(0)
    x, y = make(samples)
    for ours, theirs in zip(by_class(table), by_class(table._replace(x=x, y=y)), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-15)


@pytest.mark.parametrize("name", ["moons", "circles", "spiral", "xor"])
def test_noise_is_normal_of_the_deviation_that_is_asked_for(name):
    samples = 20_000
    exact, noisy = (dataset(name, samples=samples, noise=noise).table(3) for noise in (0, 0.25))
    assert np.array_equal(exact.y, noisy.y)
    steps = (noisy.x - exact.x) / 0.25
    # Mean, variance and fourth moment of a standard normal; 5 deviations of their estimates.
    assert abs(steps.mean(0)).max() < 5 / np.sqrt(samples)
    assert abs((steps**2).mean(0) - 1).max() < 5 * np.sqrt(2 / samples)
    assert abs((steps**4).mean(0) - 3).max() < 5 * np.sqrt(96 / samples)
    assert abs((steps[:, 0] * steps[:, 1]).mean()) < 5 / np.sqrt(samples)


@pytest.mark.parametrize("name", ["moons", "circles", "spiral", "xor"])
@pytest.mark.parametrize("samples", [3, 4, 101])
def test_classes_are_balanced_and_mixed(name, samples):
    table = dataset(name, samples=samples).table(1)
    assert np.bincount(table.y.astype(int)).tolist() == [samples // 2, samples - samples // 2]
    if samples > 100:
        changes = (np.diff(table.y) != 0).sum()
        assert 30 < changes < 70  # of 100, were they thrown by a coin


@pytest.mark.parametrize(("classes", "turns"), [(2, 1.5), (3, 1.0), (5, 0.25)])
def test_spiral_arms_wind_as_they_should(classes, turns):
    table = dataset("spiral", samples=60, noise=0, classes=classes, turns=turns).table(0)
    assert table.classes == tuple(f"class {i}" for i in range(classes))
    z = table.x[:, 0] + 1j * table.x[:, 1]
    radius = abs(z)
    expected = radius * np.exp(2j * np.pi * (turns * radius + table.y / classes))
    np.testing.assert_allclose(z, expected, rtol=0, atol=1e-14)
    for arm in range(classes):
        np.testing.assert_allclose(np.sort(radius[table.y == arm]), np.linspace(0, 1, 60 // classes), atol=1e-14)


def test_xor_fills_the_square_evenly():
    x, y = dataset("xor", samples=40_000, noise=0).table(0)[:2]
    assert abs(x).max() <= 1
    assert np.array_equal(y, x.prod(1) < 0)
    quadrant = 2 * (x[:, 0] < 0) + (x[:, 1] < 0)
    assert np.bincount(quadrant).tolist() == [10_000] * 4
    # Uniform on [0, 1]: mean 1/2, variance 1/12, independent; 5 deviations.
    size = abs(x)
    assert abs(size.mean(0) - 0.5).max() < 5 / np.sqrt(12 * 40_000)
    assert abs(size.var(0) - 1 / 12).max() < 5 / np.sqrt(180 * 40_000)
    assert abs(np.cov(size.T)[0, 1]) < 5 / 12 / np.sqrt(40_000)


@pytest.mark.parametrize(("name", "load"), [("iris", load_iris), ("wine", load_wine), ("digits", load_digits)])
def test_stored_tables_equal_scikit_learns(name, load):
    table, raw = dataset(name).table(0), load()
    assert np.array_equal(table.x, raw.data) and np.array_equal(table.y, raw.target)
    if name == "digits":
        assert list(table.features) == raw.feature_names and list(table.classes) == list(map(str, raw.target_names))
        np.testing.assert_allclose([table.x.mean() / 16, table.x.std() / 16], [0.3053, 0.3760], atol=5e-5)
    if name == "iris":
        names = [f"{name} ({unit})" for name, unit in zip(table.features, table.units, strict=True)]
        assert names == raw.feature_names and list(table.classes) == raw.target_names.tolist()


def test_mnist_1d_is_what_its_generator_makes():
    """The generator written again, from the paper's description and code, on numpy's old generator as there."""
    old = np.random.RandomState(42)
    knots = [
        [5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5],
        [5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5],
        [5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5],
        [5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5],
        [5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5],
        [5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5],
        [5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5],
        [5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5],
        [5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5],
        [5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5],
    ]
    templates = np.array(knots)
    templates = (templates - templates.mean(1, keepdims=True)) / templates.std(1, keepdims=True)
    templates = (templates - templates[:, :1]) / 6

    def resampled(curve, points):
        return interp1d(np.linspace(0, 1, len(curve)), curve)(np.linspace(0, 1, points))

    def drawn(template):
        padded = np.concatenate([template + 1e-8, np.zeros(36 + int(old.rand() * 25))])
        curve = resampled(padded, 72) * (1 + 0.4 * (old.rand() - 0.5))
        curve = np.roll(curve, old.choice(48))
        blurred = gaussian_filter(0.25 * old.randn(72), 2)
        curve = np.where(curve != 0, curve, blurred) + 0.02 * old.randn(72)
        return resampled(curve - 0.75 * (old.rand() - 0.5) * np.linspace(-0.5, 0.5, 72), 40)

    x = np.stack([drawn(template) for template in templates for _ in range(500)])
    mixed = old.permutation(5000)
    x, y = x[mixed], np.repeat(np.arange(10), 500)[mixed]
    x = (x - x.mean()) / x.std()
    train, test = dataset("mnist_1d").table(0), dataset("mnist_1d").test_table(0)
    np.testing.assert_allclose(train.x, x[:4000], rtol=2e-7, atol=1e-7)  # stored in single precision
    np.testing.assert_allclose(test.x, x[4000:], rtol=2e-7, atol=1e-7)
    assert np.array_equal(train.y, y[:4000]) and np.array_equal(test.y, y[4000:])


@needs_files
def test_all_of_mnist_is_mnist(real):
    data = Mnist()
    assert data.rows == "all" and not data.missing
    train, test = data.table(0), data.test_table(0)
    assert train.x.shape == (60_000, 784) and test.x.shape == (10_000, 784) and train.x.dtype == np.uint8
    # The class counts that LeCun's page and every paper give.
    assert np.bincount(train.y.astype(int)).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(test.y.astype(int)).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert (train.y[:5].tolist(), test.y[:5].tolist()) == ([5, 0, 4, 1, 9], [7, 2, 1, 0, 4])
    mean = train.x.mean()
    variance = np.mean([np.square(block - np.float32(mean)).mean() for block in np.split(train.x, 60)])
    np.testing.assert_allclose([mean / 255, np.sqrt(variance) / 255], Mnist.pixel_statistics, atol=5e-5)
    assert data.table(1) is train  # one copy for all seeds


@needs_files
def test_the_shipped_images_are_mnists(real):
    raw, subset = stored("mnist"), Mnist(rows="subset")
    for part, table, whole in (
        ("train", subset.table(0), Mnist().table(0)),
        ("test", subset.test_table(0), Mnist().test_table(0)),
    ):
        rows = raw[f"rows_{part}"]
        assert (np.diff(rows.astype(int)) > 0).all()
        assert np.array_equal(table.x, whole.x[rows]) and np.array_equal(table.y, whole.y[rows])
        shares = np.bincount(whole.y.astype(int)) * len(rows) / len(whole.y)
        assert abs(np.bincount(table.y.astype(int)) - shares).max() < 1


def test_the_subset_is_always_there():
    data = Mnist(rows="subset")
    assert not data.missing and data.counts() == (len(data.table(0).y), len(data.test_table(0).y)) == (10_000, 2_000)
    table = data.table(0)
    np.testing.assert_allclose([table.x.mean() / 255, table.x.std() / 255], Mnist.pixel_statistics, atol=1e-3)
    whole = Mnist().header()
    assert whole.x.shape == (0, 784) and whole.features == table.features and whole.classes == table.classes


def test_an_experiment_on_mnist_is_validated_without_its_files(monkeypatch, tmp_path):
    monkeypatch.setenv("MBSGD_DATA", str(tmp_path))
    monkeypatch.setenv("MBSGD_CACHE", str(tmp_path))
    lane = {"sampler": {"name": "reshuffle", "batch_size": 64}, "schedule": {"name": "constant", "learning_rate": 0.1}}
    for model in ("cnn", "mlp", "softmax_regression"):
        experiment = Experiment.model_validate({"problem": {"name": model, "dataset": "mnist"}, "lanes": [lane]})
        assert experiment.problem.sample_count == 60_000 and experiment.updates_per_epoch(0) == 938
    _table.cache_clear()
    assert Mnist().missing == 11_594_722
    with pytest.raises(DataError, match='set MBSGD_DATA.*"rows": "subset"'):
        experiment.problem.prepare(0)
