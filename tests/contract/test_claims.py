"""Every textbook claim has its file, its measured values are what is expected, and none is stale.

What is cheap is measured anew; of what is dear the digest tells that nothing it depends on has changed since.
"""

import json

import pytest

from mbsgd_core import share
from mbsgd_core.claims import base
from mbsgd_core.cli.main import main
from mbsgd_core.experiment import Experiment
from mbsgd_core.results.claim import FOLDER, Claim, read
from mbsgd_core.ui import claims, presets

CLAIMS = {path.stem: claim for path, claim in read().items()}
TABLE = {str(number) for number in range(1, 57)} | {f"s{number}" for number in range(1, 9)}
CHEAP = [name for name, claim in CLAIMS.items() if not claim.dear]


def test_all_are_here_and_each_file_is_named_by_its_number():
    assert {claim.number for claim in CLAIMS.values()} == TABLE and len(CLAIMS) == len(TABLE)
    for name, claim in CLAIMS.items():
        assert name.split("_")[0] == claim.number.zfill(2)
        assert (FOLDER / f"{name}.json").read_text("utf-8") == claim.text()


@pytest.mark.parametrize("name", CLAIMS)
def test_what_is_shown_is_what_was_measured(name):
    claim = CLAIMS[name]
    assert claim.measured and all(each.is_right(each.value) for each in claim.measured)
    assert claim.digest == base.digest(claim), f"stale: python -m mbsgd_core claims --write {claim.number}"
    for text in (claim.claim, claim.said_by, claim.papers, claim.nuance, claim.experiment):
        assert text.strip() == text and text
    experiment = Experiment.model_validate(claim.setup)
    assert share.from_query(share.to_query(experiment))[0] == experiment
    named = {*claim.lessons} | ({claim.bench} if isinstance(claim.bench, str) else set())
    assert named <= set(presets.all_presets())


@pytest.mark.parametrize("name", CHEAP)
def test_it_comes_out_again(name):
    claim = CLAIMS[name]
    for each, now in zip(claim.measured, base.measure(claim), strict=True):
        assert base.is_kept(each.value, now), f"{each.what}: {each.value} was written, {now} is measured"


def test_a_changed_claim_is_stale_and_a_wrong_value_is_said(tmp_path, monkeypatch, capsys):
    old = CLAIMS["56_noise_leaves_a_saddle"]
    changed = old.model_copy(update={"bench": old.setup | {"seed": 1}})
    assert base.digest(changed) != old.digest
    wrong = old.measured[1].model_copy(update={"expected": 3.0})
    (tmp_path / "56_it.json").write_text(old.model_copy(update={"measured": (wrong,), "digest": ""}).text())
    monkeypatch.setattr("mbsgd_core.results.claim.FOLDER", tmp_path)
    read.cache_clear()
    try:
        assert main(["claims", "56", "--write"]) == 2
        said = capsys.readouterr()
        assert "claim 56, BGD" in said.err and json.loads(said.out)["measured"][0]["right"] is False
        assert Claim.model_validate_json((tmp_path / "56_it.json").read_bytes()).measured[0].value == 0
        assert main(["claims", "57"]) == 2 and "there is no claim 57" in capsys.readouterr().err
    finally:
        monkeypatch.undo()
        read.cache_clear()


def test_a_lesson_names_its_claims():
    assert [claim.number for claim in claims.of_lesson("02_winner_changes")] == ["11"]
    assert "Claims 38 ~, 40 ~" in claims.about("13_momentum_ravine")
    assert sum(int(part.split()[0]) for part in claims.tally().split(", ")) == len(TABLE)
