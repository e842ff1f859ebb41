"""The branches compared come from their runs, and those without a run from that of fusion."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from aligngemini.analysis import models as compared
from aligngemini.analysis import pairs, published, tables
from aligngemini.core.params import Refused


@pytest.fixture
def expert(tmp_path, models, manifest):
    """The folder of a run of notebook 03."""
    run = tmp_path / "abc123"
    run.mkdir()
    models[2].scores.to_parquet(run / "scores.parquet")
    told = {"pictures_semantic": 0, "pictures_pixel": 24, "updates": 3, "threshold": 0.25}
    based = {"base": {"name": "data/mini/expert"}}
    manifest(run, "03_expert_lora", {"supervision": "pixel", "crop": 336}, told, models=based)
    return run


@pytest.fixture
def joined(tmp_path, images, fused, fusion):
    """A function that writes a run of notebook 04 of the expert, a frequency baseline and scores of a file."""
    more = {"frequency_score": fused.expert_score / 2, "mine_score": fused.vlm_score}
    table = fused.assign(**more)
    table.loc[table.image_id == "real00000", ["mine_score", "reason"]] = [np.nan, "mine: it has no score of it"]
    branches = [
        {"name": "expert", "threshold": 0.6, "run": "03_expert_lora/abc123"},
        {"name": "frequency", "threshold": 0.2},
        {"name": "mine", "kind": "scores"},
    ]

    def write(thresholds: str):
        folder = tmp_path / thresholds
        folder.mkdir()
        fusion(folder, table, branches, {"thresholds": thresholds})
        return folder

    return write


def test_a_run_is_read(expert, manifest, tmp_path):
    model = compared.of_run(expert)
    assert model[:4] == ("expert", "pixel", "abc123", 0.25) and model.validation == 0.25
    assert model.trained == {"semantic": 0, "pixel": 24, "updates": 3}
    assert (model.crop, model.base) == (336, "data/mini/expert")
    manifest(expert, "04_fusion", {}, {"threshold": 0.25})
    with pytest.raises(Refused, match="02 or 03"):
        compared.of_run(expert)
    with pytest.raises(Refused, match="manifest"):
        compared.of_run(tmp_path)


def test_branches_are_judged_by_the_thresholds_that_fusion_was_given(expert, joined, manifest):
    fixed = compared.fixed(joined("fixed"))
    assert compared.fixed(joined("validation")) is None
    assert fixed == {"expert": 0.6, "frequency": 0.2, "scores": 0.5, "abc123": 0.6}
    assert compared.of_run(expert, fixed).threshold == 0.6 and compared.of_run(expert, fixed).validation == 0.25
    assert compared.of_run(expert, {"expert": 0.7}).threshold == 0.7, "another run of the same kind of branch"
    assert compared.of_run(expert, {"vlm": 0.7}).threshold == 0.25, "a branch that fusion does not join"


def test_branches_alone_are_not_judged_by_the_thresholds_that_a_rule_fits_for_itself(joined):
    for thresholds in ("fixed", "validation"):
        folder = joined(thresholds)
        config = json.loads((folder / "detector.json").read_text())
        for branch in config["branches"]:
            branch |= {"given": branch["threshold"], "threshold": 0.9}
        (folder / "detector.json").write_text(json.dumps(config))
        assert [each.threshold for each in compared.without_run(folder)] == [0.2, 0.5]
        assert compared.fixed(folder) in (None, {"expert": 0.6, "frequency": 0.2, "scores": 0.5, "abc123": 0.6})


def test_branches_without_a_run_come_from_that_of_fusion(expert, joined, images):
    found = compared.of({"expert": expert, "fusion": joined("validation")})
    assert [each[:4] for each in found] == [
        ("expert", "pixel", "abc123", 0.25),
        ("frequency", "pixel", "", 0.2),
        ("mine", "", "", 0.5),
    ]
    assert [each.validation for each in found] == [0.25, 0.2, 0.5]
    given = compared.without_run(joined("fixed"))
    assert [each.validation for each in given] == [None, None]
    judged = tables.judged(images, found)
    assert judged.title.unique().tolist() == ["expert, pixel", "frequency baseline, pixel", "mine"]
    lost = judged[judged.verdict.isna()]
    assert set(lost.title) == {"mine"} and set(lost.reason) == {"mine: it has no score of it"}
    assert tables.cut_twice(images, [found[0], *given], 50).thresholds.tolist() == ["published"] * 3 + ["validation"]


def test_fusion_is_held_against_branches_of_ones_own(expert, joined, images, fused):
    found = compared.of({"fusion": joined("validation"), "expert": expert})
    differences = pairs.differences(tables.judged(images, found, fused), 50)
    assert differences.pure.tolist() == ["expert, pixel", "frequency baseline, pixel", "mine"]


@pytest.mark.parametrize(("crop", "alike"), [(336, True), (224, False)])
def test_fusion_is_as_published_only_if_every_branch_is(joined, verdicts, crop, alike):
    place = joined("fixed")
    one_half = (place / "detector.json").read_text().replace("0.6", "0.5").replace("0.2", "0.5")
    (place / "detector.json").write_text(one_half)
    inputs = {name: SimpleNamespace(params={"crop": size}) for name, size in (("vlm", 0), ("expert", crop))}
    run = SimpleNamespace(folder=place, inputs=inputs, results={"rule": "or"})
    rows = tables.alignment(verdicts[verdicts.model == "fusion"].assign(benchmark="wildrf"), 50)
    assert published.marked(rows, [], run).alike.all() == alike
