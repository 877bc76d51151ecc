"""Writes assets/data/*.npz, so that the app never imports scikit-learn. By hand: python -m tools.make_data [NAME ...]

`mnist` needs the four files in the folder MBSGD_DATA; `mnist_1d` needs its authors' package (pip install mnist1d).
"""

import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine

from mbsgd_core.problems.datasets import _mnist_files
from mbsgd_core.problems.models.base import held_out_rows

TARGET = Path(__file__).resolve().parents[1] / "assets" / "data"


def diabetes() -> None:
    raw = load_diabetes(scaled=False)
    units = ["years", "", "kg/m²", "mmHg", "mg/dl", "mg/dl", "mg/dl", "", "log mg/dl", "mg/dl"]
    np.savez_compressed(
        TARGET / "diabetes.npz",
        x=raw.data,
        y=raw.target,
        features=raw.feature_names,
        target="disease progression after one year",
        units=units,
    )


def breast_cancer() -> None:
    raw = load_breast_cancer()
    np.savez_compressed(
        TARGET / "breast_cancer.npz",
        x=raw.data,
        y=raw.target.astype(float),
        features=raw.feature_names,
        target="diagnosis",
        classes=raw.target_names,
    )


def iris() -> None:
    raw = load_iris()
    np.savez_compressed(
        TARGET / "iris.npz",
        x=raw.data,
        y=raw.target.astype(float),
        features=[name.removesuffix(" (cm)") for name in raw.feature_names],
        units=["cm"] * 4,
        classes=raw.target_names,
    )


def wine() -> None:
    raw = load_wine()
    np.savez_compressed(
        TARGET / "wine.npz",
        x=raw.data,
        y=raw.target.astype(float),
        features=[name.replace("_", " ") for name in raw.feature_names],
        classes=[f"grower {i + 1}" for i in range(3)],
    )


def digits() -> None:
    raw = load_digits()
    np.savez_compressed(TARGET / "digits.npz", x=raw.data.astype(np.uint8), y=raw.target.astype(np.uint8))


def mnist() -> None:
    parts: dict[str, np.ndarray] = {}
    for part, files, count in (("train", _mnist_files.TRAIN, 10_000), ("test", _mnist_files.TEST, 2_000)):
        images, labels = map(_mnist_files.load, files)
        rows = held_out_rows(labels, count / len(labels), seed=0, stratify=True)
        parts |= {f"x_{part}": images[rows], f"y_{part}": labels[rows], f"rows_{part}": rows.astype(np.uint16)}
    np.savez_compressed(TARGET / "mnist.npz", **parts)  # type: ignore[arg-type]


def mnist_1d() -> None:
    from mnist1d.data import get_dataset_args, make_dataset

    made = make_dataset(get_dataset_args())
    np.savez_compressed(
        TARGET / "mnist_1d.npz",
        **{f"x_{part}": made[key].astype(np.float32) for part, key in (("train", "x"), ("test", "x_test"))},
        **{f"y_{part}": made[key].astype(np.uint8) for part, key in (("train", "y"), ("test", "y_test"))},
    )


DATA = {make.__name__: make for make in (diabetes, breast_cancer, iris, wine, digits, mnist, mnist_1d)}

if __name__ == "__main__":
    for name in sys.argv[1:] or DATA:
        DATA[name]()
