"""Which model gave a score: a digest of all that a branch's score of given pixels depends on."""

from importlib import metadata
from pathlib import Path

from ..detector import Detector
from ..images import decode, degrade, header, perturb, protocols
from ..workbook import fingerprint, paths

PIXELS = (decode, *decode.CODE, degrade, perturb, protocols)


def facts(detector: Detector, branch: str, crop: int = 0) -> dict:
    """What makes a branch ("vlm" or "expert", this one with its crop in px, 0 as trained), fit for JSON."""
    import torch

    from ..expert import backbone, views
    from ..expert import score as pixels
    from ..vlm import load, look, verdict

    own, code = ("transformers", (load, look, verdict)) if branch == "vlm" else ("timm", (backbone, pixels, views))
    weight = next((detector.vlm if branch == "vlm" else detector.expert).model.parameters())
    told = detector.told[branch]
    loaded = {name: told[name] for name in ("max_pixels", "quantise") if branch == "vlm"}
    return {
        "branch": branch,
        "base": _content(paths.resolve(told["base"])) or f"{told['base']}@{told['revision']}",
        "adapter": _content(detector.adapters[branch]),
        # the same weights give other scores on a GPU, and with products of float32 rounded to less (TF32)
        "device": weight.device.type,
        "numbers": [str(weight.dtype), torch.get_float32_matmul_precision()],
        "packages": {name: metadata.version(name) for name in (own, "torch")},
        "code": of_code(*code),
        **(loaded or {"crop": crop or detector.crop}),
    }


def of(told: dict) -> str:
    """The digest of `facts`."""
    return fingerprint.digest(told)


def of_code(*modules) -> str:
    """A digest of how files become pixels here, and of `modules`."""
    code = [fingerprint.of_file(Path(module.__file__)) for module in (*PIXELS, *modules)]
    return fingerprint.digest([header.CODECS, *code])


def _content(folder: Path) -> str:
    """A digest of the bytes of all files, whatever their size: a wrong match would give wrong scores; "" for none."""
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file() and not path.name.startswith("."))
    names = {path.relative_to(folder).as_posix(): fingerprint.of_file(path) for path in files}
    return fingerprint.digest(names) if names else ""
