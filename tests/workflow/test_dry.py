"""A dry run says all that is missing, of every kind and stage, and starts nothing."""

import json
import shutil
from types import SimpleNamespace

import pytest

from aligngemini.core import paths, stages
from aligngemini.fetch import web
from aligngemini.workflow import dry, dry_counts
from tests.fetch.conftest import jpeg

DATA, VLM, EXPERT = stages.DATA, stages.VLM, stages.EXPERT
COUNTED = {
    "stage": "DPO",
    "notebook": VLM,
    "peak, GB": 3.0,
    "disk, GB": 0.5,
    "minutes": 7.5,
    "lower": "batch_size",
    "smallest GPU": "T4",
}


@pytest.fixture
def counted(monkeypatch):
    """Counting takes minutes: what it would give."""
    monkeypatch.setattr(dry_counts, "_counted", lambda *words: [COUNTED] * (VLM in words[-1]))


@pytest.fixture
def hub(fetch, served):
    """A hub with the bases of mini: "owner/vlm", "owner/expert" and "owner/vae"."""
    for name, folder in {"vlm": "vlm", "expert": "expert", "vae": "vae/kl"}.items():
        shutil.copytree(paths.ROOT / "data/mini" / folder, served.hub / "models/owner" / name)
    return served


@pytest.fixture
def real(little, hub, tmp_path):
    """The little workbook with folders of pictures and models of the hub."""
    folder = tmp_path / "pictures"
    for number, name in enumerate(["0_real/a", "0_real/b", "0_real/c", "1_fake/d", "1_fake/e"]):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.jpg").write_bytes(jpeg(number))
    recipe = {"photos": str(folder), "test": [str(folder)], "vae": "owner/vae"}
    little.recipe("tiny/01_data_construction", recipe | {"train_images": 4, "validation_images": 2})
    little.recipe("tiny/02_vlm_dpo", {"base": "owner/vlm"})
    little.recipe("tiny/03_expert_lora", {"base": "owner/expert"})
    return little


def _lines(said: str, word: str) -> list[str]:
    return [line for line in said.splitlines() if word in line]


def test_a_dry_run_with_all_it_needs_exits_with_0_and_starts_nothing(real, hub, counted):
    code, said = real.run("run", "--scale", "tiny", "--dry")
    assert code == 0 and "none of" in said and not _lines(said, " missing "), said
    assert len(_lines(said, "GB to come, licence apache-2.0")) == 3 and "3 real, 2 fake" in said
    assert not real.outputs.exists() and not real.log() and not hub.got("/cdn")


def test_all_kinds_of_missing_things_are_said_in_one_go_with_what_to_do(real, hub, counted, monkeypatch, tmp_path):
    monkeypatch.setattr(web.shutil, "disk_usage", lambda path: SimpleNamespace(free=10**6))
    monkeypatch.setattr(dry_counts.psutil, "virtual_memory", lambda: SimpleNamespace(total=4e9, available=4e9))
    monkeypatch.setattr(dry.metadata, "requires", lambda name: ["numpy", "no-such-package>=3", 'x; extra == "dev"'])
    hub.status["/owner/vae/resolve/"] = (403, -1)
    real.recipe("tiny/02_vlm_dpo", {"base": "owner/vlm", "labeller": "nobody/gone", "quantise": "4bit"})
    real.recipe("tiny/04_fusion", {"thresholds": "fxed", "fixed_thresholds": [2.0]})
    real.recipe("tiny/03_expert_lora", {"base": "owner/expert", "no_such": 1})
    (real.root / "notebooks/05_analysis.ipynb").unlink()
    words = ["-p", "implausible", str(tmp_path / "nowhere"), "-p", "plausible", str(tmp_path / "pictures")]
    words += ["-p", "push_to_hub", "me/mine", "-p", "validation_images", "4", "-p", "epoch", "2"]
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    code, said = real.run("run", "--scale", "tiny", "--dry", *words)
    assert code == 2 and not real.log(), said
    for why in (
        "not installed: no-such-package",
        "there is no folder",
        "it has 5: add some, or lower train_images",
        "nobody/gone cannot be fetched: the hub has nothing of that name",
        "owner/vae cannot be fetched: it is gated (HTTP 403); accept its licence on its page, then `hf auth login`",
        "quantise 4bit needs a GPU",
        "the workbook has no parameter 'epoch': did you mean 'epochs'?",
        "has no parameter 'no_such'",
        "did you mean 'fixed'",
        "fixed_thresholds must be",
        "there is no notebook",
        "run `hf auth login` first",
        "6.0 GB by count, and there are 4: lower batch_size",
        "free some, or choose another disk with",
    ):
        assert len(_lines(said, why)) >= 1 and all("missing" in line for line in _lines(said, why)), (why, said)


def test_a_folder_that_is_damaged_a_revision_and_a_list_without_labels_are_named(real, counted, tmp_path):
    model = tmp_path / "base"
    shutil.copytree(paths.ROOT / "data/mini/vlm", model)
    (model / "config.json").write_text("")
    (tmp_path / "list.csv").write_text("path,colour\na.jpg,red\n")
    words = ["-p", "test", f"[{tmp_path / 'list.csv'}]", "--only", "01"]
    code, said = real.run("run", "--scale", "tiny", "--dry", *words)
    assert code == 2 and "has no column for the label" in said and VLM not in said
    real.recipe("tiny/02_vlm_dpo", {"base": str(model)})
    code, said = real.run("run", "--scale", "tiny", "--dry")
    assert code == 2 and "is damaged: config.json is empty" in said
    real.recipe("tiny/02_vlm_dpo", {"base": str(tmp_path / "pictures")})
    code, said = real.run("run", "--scale", "tiny", "--dry")
    assert code == 2 and "is incomplete: it has no weights" in said


def test_a_model_that_its_notebook_cannot_train_is_named_before_the_notebooks_below_it_run(real, counted, tmp_path):
    for name in ("vlm", "expert"):
        shutil.copytree(paths.ROOT / "data/mini" / name, tmp_path / name)
    (tmp_path / "vlm/chat_template.jinja").unlink()
    config = tmp_path / "expert/config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"architecture": "resnet18"}))
    real.recipe("tiny/02_vlm_dpo", {"base": str(tmp_path / "vlm")})
    real.recipe("tiny/03_expert_lora", {"base": str(tmp_path / "expert")})
    code, said = real.run("run", "--scale", "tiny", "--dry")
    assert code == 2 and "it has no chat template" in said and "in the architecture 'resnet18'" in said, said


def test_a_model_of_the_hub_in_one_revision_is_one_need(real, hub, counted):
    real.recipe("tiny/03_expert_lora", {"base": "owner/expert", "base_revision": "v2"})
    _, said = real.run("run", "--scale", "tiny", "--dry")
    assert len(_lines(said, "base owner/expert")) == 1 and "licence apache-2.0" in said, said


def test_a_list_that_is_not_there_is_not_called_a_folder(real, counted, tmp_path):
    code, said = real.run("run", "--scale", "tiny", "--dry", "--only", "01", "-p", "test", f"[{tmp_path / 'list.csv'}]")
    assert code == 2 and "there is no folder or list" in said, said


def test_a_model_of_the_cache_needs_no_hub_and_one_that_is_not_there_is_missing_offline(
    real, counted, monkeypatch, fetch
):
    assert fetch("vlm:owner/vlm") == 0
    monkeypatch.setattr(dry.constants, "HF_HUB_OFFLINE", True)
    code, said = real.run("run", "--scale", "tiny", "--dry")
    assert code == 2 and _lines(said, "base owner/vlm")[0].split("  ok")[1].strip() == "in the hub's cache"
    assert "owner/expert is missing in the hub's cache, and HF_HUB_OFFLINE is set" in said


def test_a_scale_for_a_gpu_says_once_that_there_is_none_and_of_each_stage_which_one_it_fits(counted, monkeypatch):
    from aligngemini.workflow import plan

    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    rows = [dry._row(check, "paper") for check in dry_counts.checks(plan.make("paper"), {})]
    (gpu,) = [row for row in rows if row[2] == dry.MISSING]
    assert gpu[:2] == (dry.ALL, "a GPU") and "there is none here, and the scale paper needs one" in gpu[3]
    takes = "3.0 GB by count; the smallest GPU that it fits: T4"
    assert (VLM, "memory for DPO", dry.OK, takes) in rows
    no_gpu = SimpleNamespace(name="", memory=64, fits=lambda peak: True)
    assert dry_counts._fits(COUNTED, no_gpu) == "6.0 GB by count, of 64"


def test_the_time_is_counted_for_a_gpu_that_is_named_and_for_every_point_of_the_study(counted, monkeypatch, tmp_path):
    from aligngemini.workflow import plan

    monkeypatch.setenv("ALIGNGEMINI_OUTPUTS", str(tmp_path))
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    time = {check.notebook: check.run() for check in dry_counts.checks(plan.make("paper"), {}) if check.what == "time"}
    assert time[VLM] == "about 15 min" and time[EXPERT] == "about 18 min", "of plan.yaml: not counted here"
    assert time[dry.ALL].startswith("about 42 min, by count for one A100 80 GB"), time
    time = {check.notebook: check.run() for check in dry_counts.checks(plan.make("mini"), {}) if check.what == "time"}
    assert time[VLM] == "about 4 min" and time[dry.ALL].endswith("as last time, or by plan.yaml")
    assert (
        dry_counts._speed("NVIDIA H100 80GB HBM3").name == "H100 80 GB"
        and dry_counts._speed("Tesla T4").name == "T4 16 GB"
    )


def test_advice_names_the_scale_and_does_not_repeat_the_need(real, counted, tmp_path):
    _, said = real.run("run", "--scale", "tiny", "--dry", "-p", "photos", str(tmp_path / "nowhere"))
    (line,) = _lines(said, "there is no folder")
    assert "`aligngemini data fetch --scale tiny`" in line and "photos:" not in line and "SCALE" not in said
    assert "not checked: whether the weights of a model fit it" in said


def test_the_memory_is_counted_by_the_rehearsal_for_the_parameters_of_the_plan(monkeypatch):
    from aligngemini.rehearse import run
    from aligngemini.workflow import plan

    asked = []
    monkeypatch.setattr(run, "computed", lambda setting, *_, notebooks: asked.append(setting) or [COUNTED])
    check, *_ = dry_counts.checks(plan.make("mini", options=[("batch_size", "3")]), {})
    assert asked[0].vlm.batch_size == 3 and check.notebook == VLM and "by count" in check.run()
    assert list(dry_counts.checks(plan.make("mini", only="04"), {})) == []
