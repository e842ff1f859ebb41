"""The smallest questions and runs, on the folders of the little workbook."""

from aligngemini.core import runs
from aligngemini.expert.params import ExpertParams
from aligngemini.images.params import DataParams
from aligngemini.vlm.params import VLMParams

# What a data run says of its degradation.
CHAIN = {
    "degrade_scale": [0.4, 0.6],
    "degrade_noise": [4.0, 8.0],
    "degrade_blur": [0.5, 1.0],
    "degrade_jpeg": [40, 60],
}


def data(little, **values):
    return DataParams(scale="tiny", vae=str(little.root / "model"), **values)


def vlm(little, **values):
    return VLMParams(scale="tiny", base=str(little.root / "model"), **values)


def expert(little, **values):
    return ExpertParams(scale="tiny", base=str(little.root / "model"), **values)


def made(notebook, cfg, **results):
    run = runs.start(notebook, cfg)
    run.save("numbers.json", results)
    run.finish(results)
    return run
