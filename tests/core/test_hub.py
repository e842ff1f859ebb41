"""Uploading an adapter: to a private repository, and never at the cost of the run."""

import huggingface_hub
import pytest

from aligngemini.core import codes, hub, models
from aligngemini.core.params import Refused
from aligngemini.expert.params import ExpertParams
from aligngemini.vlm.params import VLMParams


@pytest.fixture
def calls(monkeypatch, tmp_path):
    """What the hub is asked, without asking it."""
    asked = []
    monkeypatch.setattr(huggingface_hub, "create_repo", lambda *a, **k: asked.append(("create", a, k)))
    monkeypatch.setattr(
        huggingface_hub, "upload_folder", lambda **k: asked.append(("upload", k)) or "https://hub/user/name/commit/1"
    )
    return asked


def test_the_adapter_goes_to_a_private_repository(calls, tmp_path):
    said = hub.push(tmp_path, "user/name", "vlm-mixed")
    assert calls[0] == ("create", ("user/name-vlm-mixed",), {"private": True, "exist_ok": True})
    assert calls[1][1]["repo_id"] == "user/name-vlm-mixed" and calls[1][1]["folder_path"] == tmp_path
    assert said.endswith("https://hub/user/name/commit/1")


def test_nothing_is_asked_of_the_hub_for_no_repository(calls, tmp_path):
    assert "stays here" in hub.push(tmp_path, "", "vlm-mixed") and not calls
    hub.check("")


@pytest.mark.parametrize("error", [OSError("no network"), ValueError("bad name\nsecond line")])
def test_a_failure_is_one_sentence_with_the_command_for_later(calls, tmp_path, monkeypatch, error):
    def fails(**options):
        raise error

    monkeypatch.setattr(huggingface_hub, "upload_folder", fails)
    said = hub.push(tmp_path, "user/name", "expert-pixel")
    assert "could not be uploaded" in said and "\n" not in said
    assert f"hf upload user/name-expert-pixel {tmp_path}" in said


def test_what_the_hub_itself_refuses_is_one_sentence_too(tmp_path, monkeypatch):
    """The real client against an endpoint where nobody listens."""
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    api = huggingface_hub.HfApi(endpoint="http://127.0.0.1:9", token="hf_secret")
    monkeypatch.setattr(huggingface_hub, "create_repo", api.create_repo)
    said = hub.push(tmp_path, "user/name", "expert-pixel")
    assert "could not be uploaded" in said and "hf_secret" not in said


def test_a_missing_login_is_refused_before_training(monkeypatch):
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    with pytest.raises(Refused, match="hf auth login"):
        hub.check("user/name")


@pytest.mark.parametrize("form", [VLMParams, ExpertParams])
def test_a_name_that_no_repository_can_have_is_refused(form):
    assert form(push_to_hub="user/name").push_to_hub == "user/name"
    with pytest.raises(Refused, match="user/name"):
        form(push_to_hub="name")


def test_a_missing_login_is_refused_before_the_first_notebook(little, monkeypatch):
    """Notebook 01 would have worked for hours."""
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    code, said = little.run("run", "--scale", "tiny", "-p", "push_to_hub", "user/name")
    assert code == codes.REFUSED and "hf auth login" in said and not list(little.outputs.glob("*"))


def test_the_commit_of_a_hub_model_is_known_from_the_cache_and_a_folder_has_none(monkeypatch, tmp_path):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    home = tmp_path / "models--owner--pipeline"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text("1f" * 20)
    (home / "snapshots" / ("1f" * 20) / "vae").mkdir(parents=True)
    (home / "snapshots" / ("1f" * 20) / "vae" / "config.json").write_text("{}")
    assert models.commit("owner/pipeline") == models.commit("owner/pipeline", "main") == "1f" * 20
    assert models.commit("data/mini/vlm") == "" and models.commit("owner/other", "v1") == "v1"
