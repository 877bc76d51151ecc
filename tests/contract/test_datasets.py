"""What every data set promises, and how rows are split and standardised."""

import contextlib
import itertools
import pickle

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes

from mbsgd_core.errors import ExperimentError
from mbsgd_core.experiment import problems
from mbsgd_core.problems.datasets.base import FOLDER, Dataset
from mbsgd_core.problems.models.base import DataProblem, dataset_names, held_out_rows
from mbsgd_core.registry import discover, pick
from tests.contract._items import dataset

KNOWN = discover("mbsgd_core.problems.datasets", Dataset)
every_dataset = pytest.mark.parametrize("name", KNOWN)
# Those whose test rows are taken from the table's.
every_split = pytest.mark.parametrize("name", [name for name in KNOWN if not dataset(name).counts()[1]])


def problem(name: str, data, **settings) -> DataProblem:
    package = problems()[name].__module__.rsplit(".", 1)[0]
    return pick(package, DataProblem, {"name": name, "dataset": data, **settings}, "problem")


def models_for(data: Dataset) -> list[str]:
    """The models that take these data."""
    fitting = []
    for name, cls in problems().items():
        if issubclass(cls, DataProblem):
            with contextlib.suppress(ExperimentError):
                problem(name, data)
                fitting.append(name)
    return fitting


@every_dataset
def test_a_table_is_finite_and_named(name):
    table = dataset(name).table(0)
    assert table.x.ndim == 2 and table.y.dtype == np.float64
    assert table.x.dtype == np.float64 or (table.x.dtype == np.uint8 and dataset(name).shape)
    assert len(table.x) == len(table.y) > 0
    assert np.isfinite(table.x).all() and np.isfinite(table.y).all()
    assert len(table.features) == len(set(table.features)) == table.x.shape[1]
    assert len(table.units) in (0, table.x.shape[1])
    assert table.task == dataset(name).task and table.target
    if table.task == "classification":
        assert set(np.unique(table.y)) == set(range(len(table.classes)))


@every_dataset
def test_only_generated_data_depend_on_the_seed(name):
    first, again, other = (dataset(name).table(seed) for seed in (1, 1, 2))
    assert np.array_equal(first.x, again.x) and np.array_equal(first.y, again.y)
    assert other.x.shape == first.x.shape
    assert np.array_equal(first.x, other.x) == (not KNOWN[name].generated)


@every_dataset
def test_survives_pickle_and_json(name):
    data = dataset(name)
    assert pickle.loads(pickle.dumps(data)) == data
    assert pick("mbsgd_core.problems.datasets", Dataset, data.model_dump(mode="json"), "data set") == data


@every_dataset
def test_says_what_it_is_and_teaches(name):
    data = dataset(name)
    table = data.table(0)
    assert data.title and data.summary.endswith((".", "?")) and len(data.summary) < 120
    assert set(data.telling) <= set(table.features) and len(data.telling) in (0, 1, 2)
    if data.shape:
        assert len(data.shape) == 3 and np.prod(data.shape) == table.x.shape[1]
        assert table.x.min() >= 0 and table.x.max() == data.white


@every_dataset
def test_test_rows_of_its_own_are_like_the_others(name):
    data = dataset(name)
    table, test = data.table(0), data.test_table(0)
    assert (test is not None) == (data.counts()[1] > 0)
    if test is not None:
        assert test._replace(x=None, y=None) == table._replace(x=None, y=None)
        assert test.x.shape == (len(test.y), table.x.shape[1]) and test.x.dtype == table.x.dtype
        assert set(np.unique(test.y)) == set(np.unique(table.y))
        assert not {row.tobytes() for row in table.x} & {row.tobytes() for row in test.x}


@every_split
def test_training_columns_are_standardised(name):
    for model in models_for(dataset(name)):
        for share, seed in itertools.product((0.0, 0.25), (0, 1)):
            p = problem(model, dataset(name), test_fraction=share)
            prepared = p.prepare(seed)
            columns = prepared.x
            if p.ones:
                assert p.intercept and (columns[:, -1] == 1).all() and (prepared.x_test[:, -1:] == 1).all()
                columns = columns[:, :-1]
            if p.dataset.shape:
                np.testing.assert_allclose([columns.mean(), columns.std()], [0, 1], atol=1e-12)
                continue
            np.testing.assert_allclose(columns.mean(0), 0, atol=1e-12)
            constant = np.ptp(prepared.table.x[prepared.rows], axis=0) == 0
            np.testing.assert_allclose(columns.std(0), np.where(constant, 0, 1), rtol=1e-12)
            assert not columns[:, constant].any()


@every_split
def test_the_split_is_disjoint_sized_and_seeded(name):
    for model in models_for(dataset(name)):
        p = problem(model, dataset(name), test_fraction=0.25, standardize=False, intercept=False)
        prepared, rows = p.prepare(4), len(p.columns(4).y)
        test = np.setdiff1d(np.arange(rows), prepared.rows)
        assert len(prepared.y_test) == len(test) == round(rows * 0.25)
        assert p.sample_count == len(prepared.y) == rows - len(test)
        white = p.dataset.white  # without standardising, images are read as pixels / white
        assert np.array_equal(prepared.x * white, prepared.table.x[prepared.rows])
        assert np.array_equal(prepared.x_test * white, prepared.table.x[test])
        assert np.array_equal(prepared.y_test, prepared.table.y[test])
        if rows > 20:
            assert not np.array_equal(prepared.rows, p.prepare(5).rows)
        if p.learns == "classification":
            for label in np.unique(prepared.table.y):
                assert abs((prepared.y_test == label).sum() - 0.25 * (prepared.table.y == label).sum()) < 1


def test_the_split_gives_the_largest_remainder_the_odd_row():
    y = np.repeat([0, 1, 2], [7, 2, 1])
    assert np.bincount(y[held_out_rows(y, 0.3, seed=0, stratify=True)], minlength=3).tolist() == [2, 1, 0]
    assert len(held_out_rows(y, 0.0, seed=0, stratify=True)) == 0


@pytest.mark.parametrize(
    ("model", "data", "settings", "share"),
    [
        ("linear_regression", "diabetes", {"features": ["bmi"]}, 0.0),
        ("linear_regression", "diabetes", {"features": ["bmi", "s5"]}, 0.2),
        ("linear_regression", "diabetes", {"features": ["bmi", "s5"], "intercept": False}, 0.0),
        ("linear_regression", "diabetes", {"test_fraction": 0.1}, 0.1),
        ("logistic_regression", "breast_cancer", {}, 0.2),
        ("logistic_regression", "blobs", {"intercept": False}, 0.0),
        ("linear_regression", {"name": "inline", "x": [[1, 2, 3], [4, 5, 7]], "y": [1, 2]}, {}, 0.0),
    ],
)
def test_the_default_test_share(model, data, settings, share):
    assert problem(model, data, **settings).held_out == share


def test_stored_files_equal_scikit_learn():
    raw, shipped, cancer = load_diabetes(scaled=False), load_diabetes(), load_breast_cancer()
    table = dataset("diabetes").table(0)
    assert np.array_equal(table.x, raw.data) and np.array_equal(table.y, raw.target)
    assert list(table.features) == raw.feature_names
    np.testing.assert_allclose(dataset("diabetes", scaled=True).table(0).x, shipped.data, rtol=0, atol=1e-15)
    table = dataset("breast_cancer").table(0)
    assert np.array_equal(table.x, cancer.data) and np.array_equal(table.y, cancer.target)
    assert list(table.features) == cancer.feature_names.tolist()
    assert list(table.classes) == cancer.target_names.tolist() == ["malignant", "benign"]


def test_stored_files_are_small_and_hold_plain_arrays():
    for path in FOLDER.glob("*.npz"):
        assert path.stat().st_size < {"mnist": 2_100_000, "mnist_1d": 800_000}.get(path.stem, 100_000)
        with np.load(path, allow_pickle=False) as arrays:
            assert all(array.dtype != object for array in arrays.values())


def test_line_and_blobs_are_what_their_knobs_say():
    line = dataset("line", samples=40_000, slope=-3, intercept=0.5, noise=0.2).table(7)
    slope, intercept = np.polyfit(line.x[:, 0], line.y, 1)
    # 5 sigma: sd(x) is 1/sqrt 3, so the slope's error is noise sqrt(3 / N), the intercept's noise / sqrt N.
    assert abs(slope + 3) < 5 * 0.2 * np.sqrt(3 / 40_000)
    assert abs(intercept - 0.5) < 5 * 0.2 / np.sqrt(40_000)
    flat = dataset("line", noise=0).table(7)
    assert np.array_equal(flat.y, 2.0 * flat.x[:, 0] + 1.0)
    blobs = dataset("blobs", samples=40_000, distance=4, spread=0.5, share=0.25).table(7)
    assert blobs.y.sum() == 10_000
    for label, count in ((0, 30_000), (1, 10_000)):
        cloud = blobs.x[blobs.y == label]
        centre = (2 * label - 1) * np.sqrt(2)  # distance 4 along the diagonal
        assert (abs(cloud.mean(0) - centre) < 5 * 0.5 / np.sqrt(count)).all()
        assert (abs(cloud.std(0) - 0.5) < 5 * 0.5 / np.sqrt(2 * count)).all()


def test_a_model_is_offered_the_data_sets_that_suit_it():
    assert {"diabetes", "line", "inline", "csv"} <= set(dataset_names("regression"))
    assert "diabetes" not in dataset_names("classification") and set(dataset_names()) == set(KNOWN)


@pytest.mark.parametrize(
    ("model", "data", "settings", "words"),
    [
        ("linear_regression", "diabetes", {"features": ["bmj"]}, "bmi"),
        ("logistic_regression", "breast_cancer", {"features": ["mean radios"]}, "did you mean 'mean radius'"),
        ("linear_regression", "diabetes", {"features": ["bmi", "bmi"]}, "more than once"),
        ("linear_regression", "diabetes", {"features": []}, "at least 1"),
        ("linear_regression", "diabetis", {}, "did you mean 'diabetes'"),
        ("logistic_regression", "diabetes", {}, "needs data for classification: blobs, breast_cancer"),
        ("linear_regression", "diabetes", {"test_fraction": 0.9999}, "none is left"),
        ("logistic_regression", {"name": "inline", "x": [[1], [2]], "y": [0, 2]}, {}, "0 or 1"),
        ("logistic_regression", {"name": "inline", "x": [[1], [2]], "y": [0, 0.5]}, {}, "0 or 1"),
        ("linear_regression", {"name": "inline", "x": [[1], [2]], "y": [0]}, {}, "same number of rows"),
        ("linear_regression", {"name": "inline", "x": [[1], [2, 3]], "y": [0, 1]}, {}, "same number of values"),
        ("linear_regression", {"name": "inline", "x": [[1]] * 1001, "y": [0] * 1001}, {}, "2000 numbers"),
        ("linear_regression", {"name": "inline", "x": [[1e300], [-1e300]], "y": [0, 1]}, {}, "overflow"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(model, data, settings, words):
    with pytest.raises(ExperimentError, match=words):
        problem(model, data, **settings)


def test_degenerate_inline_data_are_legal():
    one_row = problem("linear_regression", {"name": "inline", "x": [[3]], "y": [5]})
    assert one_row.prepare(0).x.tolist() == [[0, 1]]
    # 0.1 three times has a computed deviation of 1e-17; the column must still be zero, not +-1.
    constant = problem("linear_regression", {"name": "inline", "x": [[0.1]] * 3, "y": [2, 2, 2]})
    assert constant.prepare(0).x.tolist() == [[0, 1]] * 3
    np.testing.assert_allclose(constant.optimum(0), [0, 2], atol=1e-12)
