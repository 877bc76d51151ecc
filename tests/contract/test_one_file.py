"""Dropping one file into a registry is all it takes; a broken one fails loudly and by name."""

import importlib
import sys

import numpy as np
import pytest

import mbsgd_core.rules
from mbsgd_core import engine
from mbsgd_core.errors import RegistryError
from mbsgd_core.experiment import Experiment
from mbsgd_core.registry import discover, name_of
from mbsgd_core.rules.base import Rule

SIGN = '''
"""Steps of one length."""

from mbsgd_core.knobs import Real, knob
from mbsgd_core.rules.base import Rule


class Sign(Rule):
    """delta = -learning_rate * scale * sign(g)."""

    scale: Real = knob(1.0, label="Scale", help="Length of a step in learning rates.", gt=0)

    def init(self, theta):
        return ()

    def update(self, gradient, state, theta, learning_rate):
        return gradient.sign() * (-learning_rate * self.scale), state
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty package `toy_rules`, forgotten again afterwards."""
    (tmp_path / "toy_rules").mkdir()
    (tmp_path / "toy_rules" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    discover.cache_clear()
    yield tmp_path / "toy_rules"
    discover.cache_clear()
    for name in [n for n in sys.modules if n.split(".")[0] == "toy_rules"]:
        del sys.modules[name]


def find():
    importlib.invalidate_caches()
    discover.cache_clear()
    return discover("toy_rules", Rule)


def test_a_file_is_found_under_its_own_name(folder):
    (folder / "sign.py").write_text(SIGN)
    (folder / "base.py").write_text("this is not read")
    (folder / "_private.py").write_text("neither is this")
    found = find()
    assert list(found) == ["sign"]
    assert name_of(found["sign"]()) == "sign"


def test_a_dropped_in_rule_runs_in_an_experiment(folder, monkeypatch):
    (folder / "sign.py").write_text(SIGN)
    monkeypatch.setattr(mbsgd_core.rules, "__path__", [*mbsgd_core.rules.__path__, str(folder)])
    monkeypatch.delitem(sys.modules, "mbsgd_core.rules.sign", raising=False)
    importlib.invalidate_caches()
    discover.cache_clear()
    try:
        experiment = Experiment.model_validate(
            {
                "problem": "quadratic",
                "start": [1.0, -1.0],
                "budget": {"unit": "updates", "amount": 3},
                "lanes": [
                    {
                        "sampler": "full_batch",
                        "rule": {"name": "sign", "scale": 2.0},
                        "schedule": {"name": "constant", "learning_rate": 0.125},
                    }
                ],
            }
        )
        _, trace = engine.run(experiment, 0)
        assert np.array_equal(trace.theta[0], [[1, -1], [0.75, -0.75], [0.5, -0.5], [0.25, -0.25]])
        assert experiment.model_dump(mode="json")["lanes"][0]["rule"] == {"name": "sign", "scale": 2.0}
    finally:
        sys.modules.pop("mbsgd_core.rules.sign", None)
        vars(mbsgd_core.rules).pop("sign", None)


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("import nothing_of_this_name", "cannot be imported"),
        ("class Sign(", "cannot be imported"),
        ("x = 1", "exactly one class.*none"),
        (SIGN + SIGN.replace("class Sign", "class Twin"), "exactly one class.*Sign, Twin"),
        ("from mbsgd_core.rules.sgd import SGD", "exactly one class.*none"),
    ],
)
def test_a_broken_file_is_named(folder, text, complaint):
    (folder / "broken.py").write_text(text)
    with pytest.raises(RegistryError, match=rf"toy_rules\.broken.*{complaint}"):
        find()
