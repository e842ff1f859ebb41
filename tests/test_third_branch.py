"""A third branch, and a fourth in a file of its own: through notebooks 04 and 05, bench, detect and the explorer."""

import shutil
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from aligngemini import cli
from aligngemini.branches.registry import KINDS, RULES, Kind
from aligngemini.core import paths, runs, stages, values
from aligngemini.core.params import Refused
from aligngemini.expert.params import ExpertParams
from aligngemini.explore import fusion as explorer
from aligngemini.fusion import members
from aligngemini.images import decode, table
from aligngemini.images.params import DataParams
from aligngemini.scores import metrics
from aligngemini.scores import table as scores
from aligngemini.vlm.params import VLMParams
from tests import cells

SHIPPED = paths.resolve("data/mini/detector")
AXES = {"semantic": "semantic", "pixel": "pixel", "both": "both"}  # subset -> axis of its fakes
BRIGHTNESS = '''
"""A branch of one's own: bright images are fake."""
import json
import numpy as np


class Brightness:
    kind, crop = "brightness", 0

    def __init__(self, scale, name):
        self.scale, self.name = scale, name

    @classmethod
    def fit(cls, source, data, out, checkpoints):
        (out / "scale.json").write_text(json.dumps(255))
        return {"of": data.name}

    @classmethod
    def load(cls, facts, folder, name):
        return cls(json.loads((folder / "scale.json").read_text()), name)

    def prepare(self, rgb, source=None, crop=0):
        return rgb.mean() / self.scale

    def p_fake(self, views):
        return np.array(views)

    def identity(self, crop=0):
        return {"branch": self.kind, "scale": self.scale}
'''


def images(folder, split, subsets, count=3):
    """Rows of an image table: smooth reals, and fakes with noise, which makes them brighter, too."""
    random, rows = np.random.default_rng(list(split.encode())), []
    folder.mkdir()
    for subset, axis in subsets.items():
        for place in range(2 * count):
            label, path = place % 2, folder / f"{subset}{place}.png"
            smooth = Image.fromarray(random.integers(0, 150, (16, 16, 3), np.uint8)).resize((64, 64))
            noise = label * random.integers(0, 80, (64, 64, 3))
            Image.fromarray((np.asarray(smooth) + noise).astype(np.uint8)).save(path)
            pair = {"label": label, "axis": axis if label else "none", "pair_id": f"{split}{subset}{place // 2}"}
            row = {"subset": subset, "benchmark": "world", "split": split, "path": str(path)}
            rows.append(decode.identify(path) | pair | row)
    return table.frame(rows)


def copied(source, out):
    """An adapter that came with the project, as a run's own."""
    shutil.copytree(source, out, dirs_exist_ok=True)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """Outputs with a data run and a run of either branch, whose adapters are the shipped ones."""
    folder = tmp_path_factory.mktemp("outputs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALIGNGEMINI_OUTPUTS", str(folder))
        data = runs.start(stages.DATA, DataParams(scale="smoke"))
        sets = {
            "test": images(folder / "test", "test", AXES),
            "joint": images(folder / "joint", "joint", AXES),
            "pixel": images(folder / "pixel", "train", {"pixel": "pixel"}, 8),
        }
        for name, rows in sets.items():
            data.save(f"{name}.parquet", rows)
        data.finish({"images": len(sets["test"])})
        _trained(stages.VLM, VLMParams(scale="smoke", max_pixels=784), sets)
        _trained(stages.EXPERT, ExpertParams(scale="smoke"), sets)
        yield folder


def _trained(notebook, cfg, sets):
    """A run of notebook 02 or 03 without training: scores are drawn, and a little higher for fakes."""
    run = runs.start(notebook, cfg)
    kind = next(kind.name for kind in KINDS.values() if kind.notebook == notebook)
    random = np.random.default_rng(len(kind))
    for name, file in (("test", "scores.parquet"), ("joint", "joint_scores.parquet")):
        score = 0.6 * random.random(len(sets[name])) + 0.3 * sets[name]["label"]
        run.save(file, scores.make(sets[name]["image_id"], score, kind, cfg.supervision))
    run.compute("adapter", copied, SHIPPED / kind)
    run.finish({"threshold": 0.5}, models={"base": {"name": cfg.base, "revision": ""}})


def play(notebook, **given):
    """Run the cells of a notebook with these parameters, as papermill would."""
    return cells.play(cells.given(paths.notebook(notebook), given))["run"]


def goes_through(branches, names, tmp_path, capsys):
    """Play both notebooks with these branches, then use the detector that came out; `names` are those of its branches.

    Returns the run of notebook 04 and what `detect` says of the test images.
    """
    common = {"scale": "smoke", "resamples": 100, "branch_runs": branches}
    fusion = play(stages.FUSION, rule="majority", **common)
    analysis = play(stages.ANALYSIS, shown=2, **common)
    titles = [KINDS[name].title if name in KINDS else name for name in names]
    compared = " ".join(values.read(analysis.path("alignment.parquet"))["title"].unique())
    assert all(title in compared for title in titles) and "fusion (majority)" in compared
    assert all(title in analysis.path("report.html").read_text() for title in titles)

    rules = values.read(fusion.path("rules.parquet"))["rule"].unique().tolist()
    assert rules == [*names, *RULES]
    controls = explorer.fusion(fusion).children[0].children[1].children
    sliders = [control.slider.description for control in controls if hasattr(control, "slider")]
    assert sliders == titles

    fused = values.read(fusion.path("fused.parquet"))
    folder = tmp_path / "pictures"
    for row in fused.itertuples():
        place = folder / ("fake" if row.label else "real")
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(row.path, place / f"{row.subset}_{row.image_id}.png")
    bench = ["bench", "--benchmark", str(folder), "--protocol", "native", "--out", str(tmp_path / "bench")]
    code = cli.main([*bench, "--run", fusion.name])
    printed = capsys.readouterr().out
    assert code == 0 and all(name in printed for name in [*names, "fusion"])
    assert cli.main(["detect", str(folder), "--run", fusion.name, "--csv", str(tmp_path / "said.csv")]) == 0
    said = pd.read_csv(tmp_path / "said.csv")
    assert [column for column in said if column.endswith("_score")] == [f"{each}_score" for each in [*names, "fused"]]
    said["image_id"] = said["image"].str.extract(r"_([0-9a-f]{64})\.png")
    return fused.set_index("image_id"), said.set_index("image_id").loc[fused["image_id"]]


def test_a_baseline_and_a_file_of_scores_go_everywhere(outputs, tmp_path, capsys):
    test, joint = (values.read(next(outputs.glob(f"01*/*/{name}.parquet"))) for name in ("test", "joint"))
    both = pd.concat([test, joint])
    both.assign(score=0.2 + 0.5 * both["label"])[["image_id", "score"]].to_csv(tmp_path / "My scores.csv", index=False)
    branches = ["vlm latest", "expert latest", "frequency", f"scores {tmp_path / 'My scores.csv'}"]
    names = ["vlm", "expert", "frequency", "my_scores"]
    fused, said = goes_through(branches, names, tmp_path, capsys)
    assert said["my_scores_score"].tolist() == pytest.approx(fused["my_scores_score"].tolist())
    assert said["frequency_score"].tolist() == pytest.approx(fused["frequency_score"].tolist())
    assert said["verdict"].notna().all() and said["fired"].str.contains("frequency").any()
    assert metrics.auroc(fused["label"], said["frequency_score"]) > 0.9


def made(folder, rows, **given):
    """The branches of notebook 04, the last of them a file of scores with these rows."""
    rows.assign(score=0.5).to_csv(folder / "mine.csv", index=False)
    texts = ["frequency", "expert latest", f"scores {folder / 'mine.csv'}"]
    run = runs.start(stages.FUSION, stages.STAGES[stages.FUSION].params(scale="smoke", branch_runs=texts, **given))
    return members.of(run)


def test_a_file_of_scores_without_a_test_image_is_refused_when_branches_are_made(outputs, tmp_path):
    test, joint = (values.read(next(outputs.glob(f"01*/*/{name}.parquet"))) for name in ("test", "joint"))
    elsewhere = pd.DataFrame({"path": ["else/where.png"]})
    words = rf"none of the 18 test images is in .*mine.csv: its first path resolves to {tmp_path}/else/where.png, "
    with pytest.raises(Refused, match=words + rf"the run's is {outputs}/test/.*; give absolute paths or image_id"):
        made(tmp_path, elsewhere)
    with pytest.raises(Refused, match="none of the 18 test images .* its first image_id is .*; give the SHA-256"):
        made(tmp_path, joint[["image_id"]])
    with pytest.raises(Refused, match="mine.csv has no rows: give one for each image"):
        made(tmp_path, test[["path"]].head(0))


def test_a_fitted_rule_names_the_file_that_lacks_joint_images_before_any_scoring(outputs, tmp_path, monkeypatch):
    test, joint = (values.read(next(outputs.glob(f"01*/*/{name}.parquet"))) for name in ("test", "joint"))
    scored = members.scoring.table
    monkeypatch.setattr(
        members.scoring, "table", lambda rows, branch, *more: {"mine": scored}[branch.name](rows, branch, *more)
    )
    words = (
        "rule or_budget is fitted on the joint validation set, but of the images scored by mine 0 are real and 0 fake: "
    )
    with pytest.raises(Refused, match=words + "add the images of .*joint.parquet to .*mine.csv, or choose a rule that"):
        made(tmp_path, test[["path"]], rule="or_budget")
    reals = pd.concat([test, joint[joint["label"] == 0]])
    with pytest.raises(Refused, match="scored by mine 9 are real and 0 fake"):
        made(tmp_path, reals[["path"]], rule="learned")


def test_thresholds_that_a_rule_fits_are_those_that_are_shown_and_recorded(outputs):
    branches = ["vlm latest", "expert latest"]
    run = play(stages.FUSION, scale="smoke", resamples=100, branch_runs=branches, rule="or_budget", false_positives=0.2)
    config = values.read(run.path("detector.json"))
    used = config["fusion"]["thresholds"]
    assert used != [0.5, 0.5] and [each["threshold"] for each in config["branches"]] == used
    assert [run.results[f"{name}_threshold"] for name in ("vlm", "expert")] == used
    assert [each["given"] for each in config["branches"]] == [0.5, 0.5]


def test_a_branch_is_added_by_its_file_and_a_line(outputs, tmp_path, capsys, monkeypatch):
    (tmp_path / "brightness.py").write_text(BRIGHTNESS)
    monkeypatch.syspath_prepend(tmp_path)
    line = Kind("brightness", "brightness", "#DDAA33", "pixel", "", "brightness:Brightness")
    monkeypatch.setitem(KINDS, line.name, line)
    fused, said = goes_through(["brightness", "expert latest"], ["brightness", "expert"], tmp_path, capsys)
    assert metrics.auroc(fused["label"], said["brightness_score"]) > 0.9
    assert said["brightness_score"].tolist() == pytest.approx(fused["brightness_score"].tolist())
    sys.modules.pop("brightness")
