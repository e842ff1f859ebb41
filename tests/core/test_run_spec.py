"""Questions: what a run is asked is its name; what cannot be asked is refused in words."""

import pytest
import torch

from aligngemini.branches.registry import KINDS
from aligngemini.core import run_spec, runs, saved_runs, stages
from aligngemini.core.params import Refused
from aligngemini.fusion.params import FusionParams
from aligngemini.images.params import DataParams
from tests import small

DATA, VLM, EXPERT, FUSION = stages.DATA, stages.VLM, stages.EXPERT, stages.FUSION


@pytest.mark.parametrize("change", ["parameter", "notebook", "model", "upstream"])
def test_another_question_has_another_name(little, change):
    small.made(DATA, small.data(little), images=1)
    before = run_spec.make(VLM, small.vlm(little)).name
    assert run_spec.make(VLM, small.vlm(little)).name == before
    values = {"beta": 0.3} if change == "parameter" else {}
    if change == "notebook":
        little.write(VLM, "1 + 1")
    if change == "model":
        (little.root / "model" / "weights").write_text("1")
    if change == "upstream":
        small.made(DATA, small.data(little, seed=1), images=1)
    assert run_spec.make(VLM, small.vlm(little, **values)).name != before


def test_latest_is_resolved_before_the_name_is_made(little):
    first = small.made(DATA, small.data(little), images=1)
    latest = run_spec.make(VLM, small.vlm(little))
    named = run_spec.make(VLM, small.vlm(little, data_run=first.name))
    short = run_spec.make(VLM, small.vlm(little, data_run=first.name[:6]))
    assert latest.name == named.name == short.name
    assert latest.block["params"]["data_run"] == first.name


def test_a_run_knows_the_runs_that_its_parameters_select(little):
    data = small.made(DATA, small.data(little), images=1)
    run = runs.start(VLM, small.vlm(little))
    assert run.inputs["data"].name == run.data.name == data.name


def test_selectors_find_the_latest_with_a_value(little):
    small.made(DATA, small.data(little), images=1)
    pure = small.made(VLM, small.vlm(little), loss=1.0)
    mixed = small.made(VLM, small.vlm(little, supervision="mixed"), loss=2.0)
    assert runs.load(VLM, "latest").name == mixed.name
    assert runs.load(VLM, "latest supervision:semantic", "tiny").name == pure.name
    assert runs.load(VLM, "latest supervision:semantic seed:0").results == {"loss": 1.0}


@pytest.mark.parametrize(
    ("selector", "scale", "words"),
    [
        ("latest", "other", "aligngemini run --scale other --only 01"),
        ("latest images:3", None, "did you mean"),
        ("latest seed:7", None, "with seed 7"),
        ("latest pure", None, "name:value"),
        ("0123456789ab", None, "aligngemini runs"),
    ],
)
def test_a_selector_that_fits_nothing_is_refused_with_what_to_do(little, selector, scale, words):
    small.made(DATA, small.data(little), images=1)
    with pytest.raises(Refused, match=words):
        runs.load(DATA, selector, scale)


def test_runs_on_different_data_are_not_joined(little):
    first = small.made(DATA, small.data(little), images=1)
    small.made(VLM, small.vlm(little), loss=1.0)
    second = small.made(DATA, small.data(little, seed=1), images=1)
    expert = small.made(EXPERT, small.expert(little), loss=1.0)
    with pytest.raises(Refused) as refusal:
        runs.start(FUSION, FusionParams(scale="tiny"))
    assert all(name in str(refusal.value) for name in (first.name, second.name, expert.name))
    small.made(VLM, small.vlm(little), loss=1.0)
    run = runs.start(FUSION, FusionParams(scale="tiny"))
    assert run.inputs["vlm"].inputs["data"].name == run.inputs["expert"].inputs["data"].name == second.name
    assert run.data.name == second.name


@pytest.fixture
def fusion(little):
    """Runs of both branches, and a question of notebook 04 with these branches: texts -> question."""
    small.made(DATA, small.data(little), images=1)
    runs_ = small.made(VLM, small.vlm(little), loss=1.0), small.made(EXPERT, small.expert(little), loss=1.0)

    def ask(*texts, **values):
        return run_spec.make(FUSION, FusionParams(scale="tiny", branch_runs=list(texts), **values))

    return ask, *(run.name for run in runs_)


def test_runs_of_branches_are_named_in_their_places(fusion):
    ask, vlm, expert = fusion
    asked = ask("frequency", "expert latest", "vlm latest supervision:semantic")
    assert asked.block["params"]["branch_runs"] == ["frequency", f"expert {expert}", f"vlm {vlm}"]
    assert {label: entry["run"] for label, entry in asked.block["inputs"].items()} == {"vlm": vlm, "expert": expert}
    assert asked.name == ask("frequency", f"expert {expert[:6]}", f"vlm {vlm}").name


def test_a_run_that_is_named_twice_is_refused(fusion):
    ask, vlm, expert = fusion
    for second in ("vlm latest", f"vlm {vlm[:6]}", "vlm\tlatest supervision:semantic"):
        with pytest.raises(Refused, match=rf"run {vlm} of {VLM} is named twice, by 'vlm latest' and .*: name it once"):
            ask("vlm latest", f"expert {expert}", second)


def test_the_order_of_branches_and_their_code_are_part_of_the_question(fusion, monkeypatch):
    ask, *_ = fusion
    names = {ask(*texts).name for texts in (("vlm latest", "expert latest"), ("expert latest", "vlm latest"))}
    names |= {ask("vlm latest", each).name for each in ("expert latest", "frequency")}
    assert len(names) == 3
    before, told = ask("vlm latest", "frequency").name, []
    monkeypatch.setattr(run_spec.fingerprint, "of_code", lambda notebook, modules=(): told.append(modules) or "x")
    assert ask("vlm latest", "frequency").name != before
    assert told == [["aligngemini.vlm.branch", "aligngemini.branches.frequency"]]


def test_what_the_registry_says_of_a_branch_is_part_of_the_question_but_for_its_colour(fusion, monkeypatch):
    ask, *_ = fusion
    before, kind = ask("vlm latest", "frequency").name, KINDS["frequency"]
    monkeypatch.setitem(KINDS, "frequency", kind._replace(colour="#000000"))
    assert ask("vlm latest", "frequency").name == before
    monkeypatch.setitem(KINDS, "frequency", kind._replace(supervision="semantic"))
    assert ask("vlm latest", "frequency").name != before


def test_a_file_of_scores_is_part_of_the_question_by_its_content(fusion, little):
    ask, *_ = fusion
    file = little.root / "mine.csv"
    with pytest.raises(Refused, match=r"branch_runs: there is no file .*mine.csv.*check the path"):
        ask("vlm latest", f"scores {file}")
    file.write_text("path,score\na.png,0.5\n")
    first = ask("vlm latest", f"scores {file}")
    assert list(first.block["sources"]) == [str(file)]
    file.write_text("path,score\na.png,0.6\n")
    assert ask("vlm latest", f"scores {file}").name != first.name


@pytest.mark.parametrize(
    ("field", "value", "advice"),
    [
        ("photos", "data/raw/nowhere", "aligngemini data fetch"),
        ("vae", "data/raw/nowhere", "check the path"),
        ("test", ["data/raw/nowhere"], "aligngemini bench --help"),
    ],
)
def test_what_is_not_there_is_refused_with_the_next_step(little, field, value, advice):
    values = {"vae": str(little.root / "model")} | {field: value}
    with pytest.raises(Refused, match=f"data/raw/nowhere.*{advice}"):
        runs.start(DATA, DataParams(scale="tiny", **values))


@pytest.mark.parametrize(("head", "words"), [(b"\x89PNG\r\n\x1a\n", "an image"), (b"PK\3\4", "an archive")])
def test_a_test_list_that_is_no_list_is_refused_before_anything_is_made(little, head, words):
    file = little.root / "pictures.csv"
    file.write_bytes(head + bytes(100))
    with pytest.raises(Refused, match=f"pictures.csv is {words}.*, not a list"):
        run_spec.sources(DataParams(scale="tiny", vae=str(little.root / "model"), test=["world", str(file)]))
    file.write_text("path,label\na.png,real\n")
    known = run_spec.sources(DataParams(scale="tiny", vae=str(little.root / "model"), test=["world", str(file)]))
    assert known[str(file)] == file


def test_a_plan_s_own_runs_come_before_later_ones(little):
    data = small.made(DATA, small.data(little), images=1)
    pure, mixed = (
        small.made(VLM, small.vlm(little, data_run=data.name, supervision=each), score=1)
        for each in ("semantic", "mixed")
    )
    later = small.made(VLM, small.vlm(little, data_run=data.name, supervision="semantic", beta=0.3), score=1)
    own = [mixed.name, pure.name]
    assert saved_runs.fitting(VLM, "latest", own) == mixed.name
    assert saved_runs.fitting(VLM, "latest supervision:semantic", own) == pure.name != later.name
    assert saved_runs.fitting(VLM, "latest supervision:pixel", own) == "latest supervision:pixel"
    assert saved_runs.fitting(VLM, later.name, own) == later.name


@pytest.mark.parametrize(("notebook", "name"), [(DATA, "vae_dtype"), (VLM, "precision")])
def test_what_auto_means_on_this_machine_is_part_of_the_name(little, monkeypatch, notebook, name):
    small.made(DATA, small.data(little), images=1)
    cfg = getattr(small, {DATA: "data", VLM: "vlm"}[notebook])(little)
    asked = {}
    for there in (False, True):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
        asked[there] = run_spec.make(notebook, cfg)
        exact = run_spec.make(notebook, cfg.replace(**{name: "float32"}))
        assert exact.block["numbers"] == {name: "float32"}
    assert asked[False].block["numbers"] == {name: "float32"} and asked[False].name != asked[True].name
    assert asked[True].block["numbers"] == {name: "float16" if notebook == DATA else "bfloat16"}
    assert asked[True].block["params"][name] == "auto"  # so that another machine may load it in its own way


def test_cropping_off_the_jpeg_grid_is_refused_where_pairs_are_jpegs(little):
    with pytest.raises(Refused, match="pair_format png"):
        small.data(little, reconstruction="dda")
    assert small.data(little, reconstruction="dda", pair_format="png").reconstruction == "dda"
