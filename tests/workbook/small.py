"""The smallest questions and runs, on the folders of the little workbook."""

from aligngemini.workbook import runs, stages


def data(little, **values):
    return stages.DataParams(scale="tiny", vae=str(little.root / "model"), **values)


def vlm(little, **values):
    return stages.VLMParams(scale="tiny", base=str(little.root / "model"), **values)


def expert(little, **values):
    return stages.ExpertParams(scale="tiny", base=str(little.root / "model"), **values)


def made(notebook, cfg, **results):
    run = runs.start(notebook, cfg)
    run.save("numbers.json", results)
    run.finish(results)
    return run
