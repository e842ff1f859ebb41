"""EfficientNet-Lite0 out of a package: a folder that the expert loads, with each tensor in its place."""

from importlib.machinery import ModuleSpec

import pytest
import timm
import torch

from aligngemini import cli
from aligngemini.core import models
from aligngemini.core.params import Refused
from aligngemini.expert import backbone
from aligngemini.fetch import lite0


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The package with random weights, as its file has them: the names of another library, the order of timm."""
    file = tmp_path / "package" / "models" / lite0.FILE
    file.parent.mkdir(parents=True)
    tensors = timm.create_model(lite0.NAME).state_dict().values()
    torch.save({f"_of_another_library.{i}": each for i, each in enumerate(tensors)}, file)
    spec = ModuleSpec(lite0.PACKAGE, None, origin=str(tmp_path / "package" / "__init__.py"))
    monkeypatch.setattr(lite0, "find_spec", lambda name: spec)
    monkeypatch.setattr(lite0, "SHA256", lite0.fingerprint.of_file(file))
    return file


def test_its_folder_is_a_base_with_the_weights_and_colours_of_the_package(package, tmp_path, capsys):
    given = ["data", "fetch", "lite0", "--root", str(tmp_path / "raw")]
    assert cli.main(given) == 0 and "complete, 2 files" in capsys.readouterr().out
    expert = backbone.load(str(tmp_path / "raw" / "lite0"))
    own = [value for name, value in expert.model.state_dict().items() if "classifier" not in name]
    theirs = [value for value in torch.load(package).values() if value.dtype.is_floating_point][:-2]
    assert all(torch.equal(a, b) for a, b in zip(own, theirs, strict=True))
    image = torch.full((1, 3, 2, 2), 200, dtype=torch.uint8)
    assert torch.allclose(expert.pixels(image), torch.full((1, 3, 2, 2), (200 - 127) / 128))


def test_another_file_or_no_package_is_refused_with_the_next_step(package, tmp_path, capsys, monkeypatch):
    given = ["data", "fetch", "lite0", "--root", str(tmp_path / "raw")]
    package.write_bytes(b"another")
    assert cli.main(given) == 2 and "is not the file that the project knows" in capsys.readouterr().err
    monkeypatch.setattr(lite0, "find_spec", lambda name: None)
    assert cli.main(given) == 2 and "pip install -e '.[photo]'" in capsys.readouterr().err
    assert not (tmp_path / "raw" / "lite0").exists()
    with pytest.raises(Refused, match="data fetch lite0"):
        models.where("data/raw/lite0", "expert base")


def test_the_file_of_the_package_is_the_one_that_is_known():
    pytest.importorskip(lite0.PACKAGE, reason="needs the extra photo")
    own, tensors = timm.create_model(lite0.NAME).state_dict(), torch.load(lite0._weights(), weights_only=True)
    assert [each.shape for each in own.values()] == [each.shape for each in tensors.values()]
