"""The public object: on pictures that one branch cannot look at, and with other branches than two."""

import hashlib
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from aligngemini import cli, detect, self_check
from aligngemini.branches.frequency import RINGS, Frequency
from aligngemini.branches.scores_file import ScoresFile
from aligngemini.core import adapters, runs, values
from aligngemini.core.params import Refused
from aligngemini.detector import SHIPPED, Detector
from aligngemini.fusion.description import FILE
from aligngemini.fusion.rules import Fusion
from aligngemini.images.header import Unreadable
from aligngemini.vlm.branch import VLMBranch

SHIPPED_OBJECTIVE = adapters.facts(SHIPPED / "vlm")["objective"]


@pytest.fixture(scope="module")
def detector():
    return Detector.load()


@pytest.fixture
def odd(tmp_path):
    """A strip that no VLM takes between a picture as all others and the smallest one."""
    rng = np.random.default_rng(0)
    for name, size in (("a", (64, 64)), ("b", (10, 2100)), ("c", (1, 1))):
        Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(tmp_path / f"{name}.png")
    return tmp_path


def test_a_picture_that_one_branch_cannot_look_at_has_the_score_of_the_other(detector, odd):
    told = detector([odd])
    assert told.expert_score.notna().all() and told.vlm_score.notna().tolist() == [True, False, True]
    assert told.reason.tolist() == ["", "vlm: the VLM cannot look at it: aspect ratio above 200 (2100 x 10 px)", ""]
    assert told.verdict.isna().tolist() == [False, True, False] and told.fired[1] in ("", "expert")
    assert told.vlm_score[[0, 2]].tolist() == pytest.approx(
        detector([odd / "a.png", odd / "c.png"]).vlm_score, abs=1e-6
    )


@pytest.mark.parametrize("kind", [object, str])
def test_an_array_of_paths_is_as_many_images(detector, odd, kind):
    paths = np.array([str(odd / "a.png"), str(odd / "c.png")], dtype=kind)
    assert detector(paths).image.tolist() == paths.tolist()


def test_detect_gives_no_reason_for_images_unlike_all_that_the_model_was_trained_on(odd, capsys, monkeypatch):
    monkeypatch.setattr(VLMBranch, "explain", lambda branch, views, fake: ["a reason"] * len(views))
    inside = next((SHIPPED / "known").glob("0_*"))
    assert cli.main(["detect", "--run", "shipped", "--explain", "--json", str(odd), str(inside)]) == 3
    said = capsys.readouterr()
    assert [json.loads(line)["explanation"] for line in said.out.splitlines()] == ["", "", "", "a reason"]
    assert "no reason for 2 of 4 images: the vlm branch was trained on nothing like them" in said.err


def test_detect_says_why_a_model_gives_no_reason(capsys, monkeypatch):
    monkeypatch.setattr(VLMBranch, "explain", lambda branch, views, fake: [""] * len(views))
    inside = next((SHIPPED / "known").glob("0_*"))
    assert cli.main(["detect", "--run", "shipped", "--explain", "--json", str(inside)]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["explanation"] == "" and SHIPPED_OBJECTIVE == "dpo+sft", "it can give reasons"
    assert "the vlm branch gave no reason\n" in said.err
    table = pd.DataFrame({"outside": [""], "explanation": [""]})
    alone = detect._silence(SimpleNamespace(name="vlm", objective="dpo"), table)
    assert "objective dpo teaches it verdicts alone" in alone


def test_it_says_what_it_is_and_on_which_pictures_its_verdicts_mean_nothing(detector):
    cuts = detector.fusion.thresholds
    assert repr(detector).startswith(f"Detector(rule or of vlm above {cuts[0]:.4g}, expert above {cuts[1]:.4g}; the sh")
    strange = Detector(
        [Strange("vlm"), Strange("expert", limit=300)], Fusion("or", [0.5, 0.5]), "", ["drawn scenes", ""]
    )
    table = strange([np.full((40, 40, 3), grey, np.uint8) for grey in (10, 20, 200, 210)])
    assert table.outside.tolist() == ["", "", "vlm", "vlm"] and table.vlm_score.tolist() == [0.25] * 4
    assert strange.remark(table).startswith("2 of 4 images are unlike all training images of the VLM (drawn scenes)")
    assert not strange.remark(table[:2])
    assert strange.remark(table[3:]).startswith("the image is unlike all training images of the VLM (drawn scenes)")


def test_a_branch_that_cannot_tell_says_what_it_was_trained_on(detector):
    old = Detector(detector.branches, detector.fusion, "", ["drawn scenes of scale mini"] * 2)
    for branch in old.branches:
        branch.domain = None
    said = old.remark(pd.DataFrame({"outside": [""]}))
    assert said.startswith("all training images of the VLM and the expert are drawn scenes of scale mini: verdicts on")
    assert "--scale photo" in said


class Strange:
    """A branch that was trained on dark pictures."""

    kind, crop, domain = "strange", 0, True

    def __init__(self, name, limit=100):
        self.name, self.limit = name, limit

    def prepare(self, rgb, source=None, crop=0):
        return rgb.mean()

    def judge(self, views):
        return np.full(len(views), 0.25), [view > self.limit for view in views]


def test_a_picture_is_decoded_once_for_all_branches(detector, monkeypatch):
    from aligngemini.images import decode

    read, count = decode.read, []
    monkeypatch.setattr(decode, "read", lambda *given: count.append(1) or read(*given))
    files = sorted((SHIPPED / "known").glob("*.jpg"))[:3]
    assert detector(files, batch_size=2).verdict.notna().all() and len(count) == 3


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """A packed detector of three: the shipped VLM, a baseline of frequencies, and a file of scores of two pictures."""
    folder, files = tmp_path_factory.mktemp("three"), sorted((SHIPPED / "known").glob("*.jpg"))
    config = json.loads((SHIPPED / FILE).read_text())
    shutil.copytree(SHIPPED / "vlm", folder / "vlm")
    (folder / "frequency").mkdir()
    (folder / "frequency" / "weights.json").write_text(json.dumps({"weights": [0.0] * (RINGS - 1), "bias": 1.0}))
    ids = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files[:2]]
    pd.DataFrame({"image_id": ids, "score": [0.25, 0.75]}).to_csv(folder / "mine.csv", index=False)
    facts = ScoresFile.fit(str(folder / "mine.csv"), None, folder / "mine")
    others = [("frequency", "frequency", {}), ("mine", "scores", facts)]
    config["branches"][1:] = [{"name": n, "kind": k, "facts": f, "threshold": 0.5, "run": ""} for n, k, f in others]
    config["fusion"] |= {"rule": "majority", "thresholds": [config["branches"][0]["threshold"], 0.5, 0.5]}
    (folder / FILE).write_text(json.dumps(config))
    return folder


def test_a_detector_has_as_many_branches_as_its_description_says(three):
    files = sorted((SHIPPED / "known").glob("*.jpg"))[:3]
    told = Detector.load(three)(files)
    scores = ["vlm_score", "frequency_score", "mine_score"]
    assert told.columns.tolist() == ["image", *scores, "reason", "fused_score", "verdict", "fired", "outside"]
    assert told.frequency_score.tolist() == pytest.approx([1 / (1 + np.exp(-1))] * 3)
    assert told.mine_score[:2].tolist() == [0.25, 0.75] and told.verdict.tolist() == [0, 1, pd.NA]
    assert told.fired.tolist() == ["frequency", "vlm+frequency+mine", "frequency"]
    assert told.reason.tolist()[:2] == ["", ""] and told.reason[2].startswith("mine: it is not in the file of scores")


def test_detect_shows_and_explains_with_any_branches(three, monkeypatch, capsys):
    monkeypatch.setattr(Detector, "found", lambda run: Detector.load(three))
    files = [str(path) for path in sorted((SHIPPED / "known").glob("*.jpg"))[:3]]
    monkeypatch.setattr(VLMBranch, "explain", lambda branch, views, fake: [f"reason {each}" for each in fake])
    assert cli.main(["detect", "--json", "--explain", *files]) == 3, "the file of scores lacks one"
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all({"vlm_score", "frequency_score", "mine_score"} <= set(row) for row in rows)
    assert [row["explanation"] for row in rows] == ["reason False", "reason True", "reason False"]


def test_a_detector_without_words_says_so_instead_of_explaining(three, monkeypatch, capsys):
    silent = Detector([Frequency.load({}, three / "frequency")], Fusion("or", [0.5]))
    monkeypatch.setattr(Detector, "found", lambda run: silent)
    assert cli.main(["detect", "--explain", str(SHIPPED / "known")]) == 2
    assert "no branch of this detector explains" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "change"),
    [
        ("what its detector is made of", lambda config: config["branches"].append(config["branches"][0])),
        ("what its detector is made of", lambda config: config["branches"][0].update(name="../vlm")),
        ("there is no branch 'vml'", lambda config: config["branches"][0].update(kind="vml")),
        ("what its VLM is loaded by", lambda config: config["branches"][0].update(facts={})),
        ("what its detector is made of", lambda config: config["branches"].clear()),
        ("what its detector is made of", lambda config: config["fusion"]["thresholds"].pop()),
        ("There is no rule 'and so'", lambda config: config["fusion"].update(rule="and so")),
        ("describes no fusion", lambda config: config["fusion"].update(thresholds=[0.5, "0.5", 0.5])),
        ("what its detector is made of", lambda config: config.update(fusion=[])),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(three, tmp_path, words, change):
    folder, config = shutil.copytree(three, tmp_path / "three"), json.loads((three / FILE).read_text())
    change(config)
    (folder / FILE).write_text(json.dumps(config))
    with pytest.raises(Refused, match=words):
        Detector.load(folder)


@pytest.fixture
def fusion(three, tmp_path, monkeypatch):
    """A run of notebook 04 on a run of notebook 02, with two branches of its own, that judged the known pictures."""
    folder = shutil.copytree(three, tmp_path / "run" / "branches").parent
    config = json.loads((three / FILE).read_text())
    config["branches"][0]["run"] = "02_vlm_dpo/c0ffee"
    (folder / FILE).write_text(json.dumps(config))
    vlm = SimpleNamespace(notebook="02_vlm_dpo", name="c0ffee", path=lambda name: SHIPPED / "vlm")
    made = SimpleNamespace(folder=folder, inputs={"vlm": vlm}, path=folder.joinpath, name="c0de", scale="mini")
    monkeypatch.setattr(runs, "load", lambda *asked: made)
    return made


def test_a_run_gives_its_detector_adapters_of_other_runs_and_branches_of_its_own(fusion, three):
    files = sorted((SHIPPED / "known").glob("*.jpg"))[:2]
    pd.testing.assert_frame_equal(Detector.from_run()(files), Detector.load(three)(files))
    fusion.inputs.clear()
    with pytest.raises(Refused, match="does not stand on the run 02_vlm_dpo/c0ffee"):
        Detector.from_run()


def test_a_detector_of_any_branches_is_packed_with_its_answers_and_checked(fusion, three, tmp_path):
    files = sorted((SHIPPED / "known").glob("*.jpg"))[:2]
    judged = Detector.load(three)(files).rename(columns={"image": "path"})
    rows = judged.assign(benchmark="b", image_id=["x", "y"], axis=["none", "semantic"], label=[0, 1])
    values.write(fusion.path("fused.parquet"), rows)
    packed = self_check.pack(folder=tmp_path / "packed", each=1)
    found = self_check.check(packed)
    assert found.agrees.all() and found["mine"].tolist() == [0.25, 0.75] and len(found) == 2
    assert all(branch["run"] == "" for branch in json.loads((packed / FILE).read_text())["branches"])
    (packed / "frequency" / "weights.json").write_text(json.dumps({"weights": [0.0] * (RINGS - 1), "bias": 0.0}))
    assert not self_check.check(packed).agrees.any()


class Brightness:
    """A branch whose score is the mean of a channel; it counts what it scores and cannot look at black pictures."""

    kind, crop = "brightness", 0

    def __init__(self, name, channel, slow=False):
        self.name, self.channel, self.slow, self.scored = name, channel, slow, 0

    def prepare(self, rgb, source=None, crop=0):
        if rgb[..., self.channel].max() == 0:
            raise Unreadable("it is black")
        return rgb[..., self.channel].mean() / 255

    def p_fake(self, views):
        self.scored += len(views)
        return np.array(views)


@pytest.fixture
def cascading():
    """Two branches, the slow one first, under OR; 60 pictures of random colour, some of which either cannot see."""
    branches = Brightness("vlm", 0, slow=True), Brightness("expert", 1)
    rng = np.random.default_rng(0)
    colours = rng.choice([0, 60, 120, 180, 240], (60, 3))
    return Detector(branches, Fusion("or", (0.5, 0.6))), [np.full((8, 8, 3), each, np.uint8) for each in colours]


def test_a_cascade_gives_the_verdicts_of_all_branches_and_asks_the_slow_one_less(cascading):
    detector, pictures = cascading
    slow = detector.branches[0]
    full, calls = detector(pictures, batch_size=7), slow.scored
    cascade = detector(pictures, batch_size=7, cascade=True)
    assert cascade["verdict"].tolist() == full["verdict"].tolist() and full["verdict"].isna().any()
    assert cascade["expert_score"].equals(full["expert_score"])
    spared = cascade["skipped"] == "vlm"
    assert slow.scored - calls == calls - spared.sum() and spared.sum() > 15
    assert cascade.loc[spared, ["vlm_score", "fused_score"]].isna().all(axis=None)
    assert cascade.loc[~spared, "vlm_score"].equals(full.loc[~spared, "vlm_score"]) and "skipped" not in full
    said = detector.savings(cascade)
    assert said == f"not asked, since the verdict was certain: the VLM on {spared.sum()} of 60 images"


def test_detect_cascade_shows_who_was_not_asked(monkeypatch, capsys):
    monkeypatch.setattr(Detector, "found", lambda run: Detector.load())
    files = [str(SHIPPED / "known" / name) for name in ("0_none.jpg", "4_pixel.jpg")]
    assert cli.main(["detect", "--cascade", "--json", *files]) == 0
    real, fake = map(json.loads, (said := capsys.readouterr()).out.splitlines())
    assert (real["verdict"], real["skipped"], fake["verdict"], fake["skipped"]) == (0, "", 1, "vlm")
    assert fake["vlm_score"] is None and "the VLM on 1 of 2 images" in said.err
