"""An adapter goes to the hub with the hub's own client, and whoever fetches it there has the same adapter."""

import json

import huggingface_hub
import pytest
import torch
from huggingface_hub import constants
from peft import LoraConfig, get_peft_model
from torch import nn

from aligngemini.core import adapters, hub, paths
from aligngemini.core.params import Refused

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>':DeprecationWarning")  # between client and httpx
TOKEN, FACTS = "hf_secretsecret", {"base": "owner/base", "revision": "abc"}
REPOSITORY = "user/name-expert-pixel"


@pytest.fixture
def client(fetch, served, monkeypatch):
    """The real client, logged in at the server; over plain HTTP, as xet's storage cannot be served from here."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(huggingface_hub.hf_api.api, "endpoint", served.url)


@pytest.fixture
def folder(tmp_path):
    """A trained-looking adapter with its card, and beside it a table that is nobody's business."""
    model = get_peft_model(base(), LoraConfig(r=2, target_modules=["0"], init_lora_weights=False))
    saved = adapters.save(model, tmp_path / "adapter", FACTS, adapters.card("Tiny", "For a test.", FACTS, "use it"))
    (saved / "pairs.parquet").write_bytes(b"other people's pictures")
    return saved


def base() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 4))


def test_what_was_uploaded_comes_back_as_the_same_adapter(client, folder, served):
    said = hub.push(folder, "user/name", "expert-pixel")
    assert said == f"The adapter is on the hub: {served.url}/{REPOSITORY}/commit/{served.commit}"
    fetched, x = adapters.home(REPOSITORY), torch.ones(1, 4)
    assert torch.equal(adapters.put(base(), fetched)(x), adapters.put(base(), folder)(x))
    assert not torch.equal(adapters.put(base(), fetched)(x), base()(x)) and adapters.facts(fetched) == FACTS


def test_an_adapter_that_nobody_has_is_one_sentence(client):
    with pytest.raises(Refused, match="adapter 'user/other' cannot be fetched: .*nothing of that name"):
        adapters.home("user/other")
    with pytest.raises(Refused, match="no adapter at 'outputs/adapter'"):
        adapters.home("outputs/adapter")


def test_the_repository_is_private_and_holds_no_tables_and_no_token(client, folder, served):
    hub.push(folder, "user/name", "expert-pixel")
    wanted = json.loads(dict(served.told)["/api/repos/create"])
    assert wanted.get("private") or wanted["visibility"] == "private"  # as older clients say it, and newer ones
    kept = {file.name: file.read_bytes() for file in (served.hub / "models" / REPOSITORY).iterdir()}
    assert set(kept) == {file.name for file in folder.iterdir()} - {"pairs.parquet"}
    assert not any(TOKEN.encode() in data for data in kept.values())


@pytest.mark.parametrize(
    ("place", "said"), [("{home}/models/my base", "./my base"), ("{root}/data/mini/vlm", "data/mini/vlm")]
)
def test_no_path_of_this_machine_is_uploaded_and_the_adapter_stays_as_it_is(client, served, tmp_path, place, said):
    where = place.format(home=tmp_path / "höme", root=paths.ROOT)
    told = FACTS | {"base": where, "labeller": f"{tmp_path}/höme/models", "sizes": {"of": [where, 3]}}
    model = get_peft_model(base(), LoraConfig(r=2, target_modules=["0"], init_lora_weights=False))
    folder = adapters.save(model, tmp_path / "adapter", told, adapters.card("Tiny", "For a test.", told, "use it"))
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert "is on the hub" in hub.push(folder, "user/name", "expert-pixel")
    kept = {file.name: file.read_bytes() for file in (served.hub / "models" / REPOSITORY).iterdir()}
    assert [path.name for path in tmp_path.iterdir() if "adapter" in path.name] == ["adapter"]
    assert set(kept) == set(before) and {file.name: file.read_bytes() for file in folder.iterdir()} == before
    hidden = [str(tmp_path), str(paths.ROOT), "höme", json.dumps("höme")[1:-1]]
    assert not [name for name, data in kept.items() for each in hidden if each.encode() in data]
    assert json.loads(kept["adapter_config.json"])["base_model_name_or_path"] == said
    fetched = adapters.home(REPOSITORY)
    assert adapters.facts(fetched) == told | {"base": said, "labeller": "./models", "sizes": {"of": [said, 3]}}
    assert f"base `{said}` is a folder, not a model of the hub" in kept["README.md"].decode()
    assert torch.equal(adapters.put(base(), fetched)(torch.ones(1, 4)), adapters.put(base(), folder)(torch.ones(1, 4)))


def test_what_could_not_be_uploaded_is_offered_without_paths_of_this_machine(tmp_path, monkeypatch):
    def unreached(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub, "create_repo", unreached)
    told = FACTS | {"base": str(tmp_path / "base")}
    model = get_peft_model(base(), LoraConfig(r=2, target_modules=["0"]))
    folder = adapters.save(model, tmp_path / "adapter", told, adapters.card("Tiny", "For a test.", told, "use it"))
    offered = tmp_path / "adapter-public"
    assert f"later: `hf upload user/name-vlm-mixed {offered}`" in hub.push(folder, "user/name", "vlm-mixed")
    assert not [file.name for file in offered.iterdir() if str(tmp_path).encode() in file.read_bytes()]
