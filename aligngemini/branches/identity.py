"""What the scores of a branch depend on, fit for JSON: a digest of it is a key for caches."""

from importlib import metadata
from pathlib import Path

from aligngemini.core import fingerprint, paths


def of_model(weight, base: str, revision: str, adapter: Path, library: str, module: str) -> dict:
    """The identity of a base with an adapter, `weight` any tensor of it, built by a `library` and run by a `module`."""
    import torch

    return {
        "base": content(paths.resolve(base)) or f"{base}@{revision}",
        "adapter": content(adapter),
        # the same weights give other scores on a GPU, and with products of float32 rounded to less (TF32)
        "device": weight.device.type,
        "numbers": [str(weight.dtype), torch.get_float32_matmul_precision()],
        "packages": {name: metadata.version(name) for name in (library, "torch")},
        "code": fingerprint.of_module(module),
    }


def content(folder: Path) -> str:
    """A digest of the bytes of all files, whatever their size: a wrong match would give wrong scores; "" for none."""
    names = [name for name in fingerprint.inside(folder) if not Path(name).name.startswith(".")]
    return fingerprint.digest({name: fingerprint.of_file(folder / name) for name in names}) if names else ""
