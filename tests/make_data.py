"""Writes assets/data/*.npz from scikit-learn, so that the app never imports it. By hand: python tests/make_data.py"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes

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


if __name__ == "__main__":
    diabetes()
    breast_cancer()
