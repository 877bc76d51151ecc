"""Every reference value is tested, or listed with the reason why it can't be yet."""

import importlib
import json
from pathlib import Path

from tests.oracle.not_applicable import NOT_APPLICABLE

HERE = Path(__file__).parent


def test_every_oracle_is_covered_or_explained():
    modules = [importlib.import_module(f"tests.oracle.{file.stem}") for file in HERE.glob("test_*.py")]
    covered = {identity for module in modules for identity in getattr(module, "COVERS", [])}
    every = {oracle["id"] for oracle in json.loads((HERE / "oracles.json").read_text())["oracles"]}
    assert covered | set(NOT_APPLICABLE) == every
    assert not covered & set(NOT_APPLICABLE)
    assert all(len(reason.split()) >= 5 for reason in NOT_APPLICABLE.values())
