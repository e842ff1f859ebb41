"""A dry run: all that the stages of a plan need, checked on this machine before one of them starts."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
from huggingface_hub import constants

from aligngemini.core import models, paths, run_spec, stages
from aligngemini.core.params import Refused
from aligngemini.fetch import bases, record, web
from aligngemini.images import sources
from aligngemini.images.loaders import benchmark_rows
from aligngemini.images.params import WORLD
from aligngemini.rehearse.gpus import GPU, MEMORY

from . import checks
from .checks import Check
from .plan import ALL, Plan

OK, MISSING = "ok", "missing"
VAES = dict.fromkeys(["vae", "more_vaes", "generators"], "vae")
ROLES = VAES | {"labeller": "vlm"}  # fields that name a model: how it is fetched
COLUMNS = ["stage", "needs", "state", "note or next step"]


def table(plan: Plan, problems: list[tuple[str, str]]) -> pd.DataFrame:
    """Run all checks of a plan: a row of COLUMNS for each. `problems`: notebooks and what is wrong with their
    parameters, see `plan.make`. Nothing is executed, downloaded or written.
    """
    bad, coming, written = {notebook for notebook, _ in problems}, dict[str, int](), dict[str, float]()
    rows = [(notebook, "parameters", MISSING, why) for notebook, why in problems]
    rows += [(item.stage.name, "parameters", OK, "") for item in plan.mine if item.stage.name not in bad]
    rows += map(_row, itertools.chain(checks.quick(plan), _packages(plan), _models(plan, coming), _pictures(plan)))
    rows += map(_row, _memory(plan, written))
    rows += map(_row, _disk(coming, written))
    order = {name: place for place, name in enumerate([ALL, *stages.STAGES])}
    last = {row[:2] if row[1] != "parameters" else row: row for row in rows}  # a later check of the same says more
    return pd.DataFrame(sorted(last.values(), key=lambda row: order[row[0]]), columns=COLUMNS)


def text(rows: pd.DataFrame) -> str:
    """Return the table as people read it, and what it amounts to."""
    shown = rows.assign(stage=rows.stage.where(~rows.stage.duplicated(), ""))
    widths = [max(map(len, [name, *shown[name]])) for name in COLUMNS[:-1]]
    lines = [COLUMNS, *map(list, shown.itertuples(index=False))]
    padded = ["  ".join([*map(str.ljust, line, widths), line[-1]]).rstrip() for line in lines]
    missing = int((rows.state == MISSING).sum())
    are = "are" if missing > 1 else "is"
    return "\n".join([*padded, "", f"{missing or 'none'} of {len(rows)} needs {are} missing; nothing was started"])


def _row(check: Check) -> tuple[str, str, str, str]:
    try:
        note = check.run()
        return check.notebook, check.what, OK, note if isinstance(note, str) else ""
    except Refused as refusal:
        return check.notebook, check.what, MISSING, str(refusal)


def _packages(plan: Plan) -> Iterator[Check]:
    yield Check(ALL, "packages", _installed)
    yield Check(ALL, f"outputs {paths.short(paths.outputs())}", partial(paths.writable, paths.outputs()))
    for cfg in _configs(plan, stages.VLM):
        if cfg.quantise:
            from aligngemini.vlm import load

            yield Check(stages.VLM, f"quantise {cfg.quantise}", partial(load.quantised, cfg.quantise))
        if cfg.accelerate_config:
            yield Check(stages.VLM, f"accelerate_config {cfg.accelerate_config}", partial(_processes, cfg))


def _installed() -> str:
    """Compare what is installed with what the package says it needs."""
    needed = [text for text in metadata.requires("aligngemini") or [] if "extra ==" not in text]
    names = [text.split(";")[0].strip() for text in needed]
    lacking = [name for name in names if not next(iter(metadata.distributions(name=name)), None)]
    if lacking:
        raise Refused(f"not installed: {', '.join(lacking)}; `pip install -e .`")
    return f"{len(names)} installed"


def _processes(cfg: Any) -> None:
    from aligngemini.vlm import launch

    launch.shared(cfg, launch.check(paths.resolve(cfg.accelerate_config)).num_processes)


def _models(plan: Plan, coming: dict[str, int]) -> Iterator[Check]:
    """The models, whether they suit or can be fetched; what is still to come of each goes into `coming`, in bytes."""
    for item in plan.mine:
        cfg = item.cfg({})
        for each in [named for named in run_spec.named(cfg) if named.kind == "model"]:
            if not models.on_hub(each.text):
                yield Check(item.stage.name, f"{each.field} {each.text}", partial(_suits, item.stage.name, each))
            else:
                usual = "vlm" if item.stage.name == stages.VLM else "expert"
                given = f"{each.text}@{getattr(cfg, f'{each.field}_revision', '')}".removesuffix("@")
                base = replace(bases.BASES[ROLES.get(each.field, usual)], given=given)
                yield Check(item.stage.name, f"{each.field} {each.text}", partial(_fetchable, base, coming))


def _suits(notebook: str, model: run_spec.Named) -> None:
    """Raise Refused if a folder is incomplete, or holds a model of a kind that its notebook cannot train."""
    model.paths()
    if notebook == stages.VLM:
        from aligngemini.vlm import load

        load.check(model.text)
    elif notebook == stages.EXPERT:
        from aligngemini.expert import backbone

        backbone.check(model.text)


def _fetchable(base: bases.Base, coming: dict[str, int]) -> str:
    """Say that a model is in the cache of the hub, or what will come and under which licence. Raises Refused."""
    state = base.check(Path(), quick=True)
    if state.word == record.COMPLETE:
        return "in the hub's cache"
    if constants.HF_HUB_OFFLINE:
        raise Refused(f"{base.name} is {state.word} in the hub's cache, and HF_HUB_OFFLINE is set: fetch it first")
    offer = base.offer(Path(), None)
    coming[base.name] = offer.bytes
    return f"{offer.bytes / 1e9:.2f} GB to come, licence {offer.licence}"


def _pictures(plan: Plan) -> Iterator[Check]:
    """Whether the folders have as many pictures as are asked for, and the test sets are labelled."""
    for cfg in _configs(plan, stages.DATA):
        counts = {"plausible": sources.counts(cfg), "implausible": sources.counts(cfg)}
        counts["photos"] = sources.counts(cfg, cfg.pixel_pairs)
        asked: dict[str, int] = {}
        for role, splits in counts.items():
            if (folder := getattr(cfg, role)) != WORLD:
                asked[folder] = asked.get(folder, 0) + sum(splits.values())
        for folder, count in asked.items():
            if paths.resolve(folder).is_dir():
                yield Check(stages.DATA, f"{count} pictures in {folder}", partial(_enough, folder, count))
        for name in [text for text in cfg.test if text != WORLD and not benchmark_rows.split(text)[0]]:
            if paths.resolve(name).exists():
                yield Check(stages.DATA, f"labels of {name}", partial(_labelled, name))


def _enough(folder: str, count: int) -> str:
    have = len(record.images(paths.resolve(folder)))
    if have < count:
        raise Refused(f"it has {have}: add some, or lower train_images, pixel_pairs or validation_images")
    return f"it has {have}"


def _labelled(name: str) -> str:
    rows = benchmark_rows.rows(name)
    return f"{(rows.label == 0).sum()} real, {(rows.label == 1).sum()} fake"


def _memory(plan: Plan, written: dict[str, float]) -> Iterator[Check]:
    """What the stages that train or score take by count, against this machine; their files go into `written`, in GB.

    Counting takes a minute at true sizes. What it cannot count, a model whose sizes are not known, is said and not
    missing.
    """
    given = {name: _configs(plan, name) for name in (stages.DATA, stages.VLM, stages.EXPERT)}
    if not any(given.values()):
        return
    machine, configs = _machine(), [each[0] if each else stages.STAGES[name].params() for name, each in given.items()]
    try:
        rows = _counted(plan.scale, *configs, machine, [name for name, each in given.items() if each])
    except Refused as refusal:
        yield Check(ALL, "memory", partial(str, f"not counted: {refusal}"))
        return
    for row in rows:
        written[row["notebook"]] = written.get(row["notebook"], 0) + row.get("disk, GB", 0)
        yield Check(row["notebook"], f"memory for {row['stage']}", partial(_fits, row, machine, plan.scale))


def _counted(scale: str, data: Any, vlm: Any, expert: Any, machine: GPU, notebooks: list[str]) -> list[dict[str, Any]]:
    """The computed rows of a rehearsal of some notebooks with these parameters."""
    from aligngemini.rehearse import run, setting

    tried = setting.make(scale)._replace(data=data, vlm=vlm, expert=expert)
    return list(run.computed(tried, machine, notebooks=notebooks))


def _machine() -> GPU:
    """The GPU of this machine, or its memory where it has none."""
    import torch

    if not torch.cuda.is_available():
        return GPU("", psutil.virtual_memory().total / 1e9, 1, 1)
    card = torch.cuda.get_device_properties(0)
    return GPU(card.name, card.total_memory / 1e9, 1, 1)


def _fits(row: dict[str, Any], machine: GPU, scale: str) -> str:
    """Say what a stage takes; raises Refused where that is too much, or where the scale needs a GPU and has none."""
    peak = row["peak, GB"]  # of a GPU, which computes in 16 bits
    if not machine.name and scale in MEMORY:
        smallest = f"the smallest that it fits: {row['smallest GPU']}"
        raise Refused(f"{peak:.1f} GB by count, and there is no GPU here; {smallest}; or take --scale laptop")
    peak *= 1 if machine.name else 2  # a processor computes in float32
    takes = f"{peak:.1f} GB by count"
    if not machine.fits(peak * 1e9):
        raise Refused(f"{takes}, and there are {machine.memory:.0f}: lower {row['lower']}, or take a larger machine")
    return f"{takes}, of {machine.memory:.0f}" + (f" on {machine.name}" if machine.name else "")


def _disk(coming: dict[str, int], written: dict[str, float]) -> Iterator[Check]:
    """Room for what comes and what is made, on one disk or on two."""
    cache, home = Path(constants.HF_HUB_CACHE), paths.outputs()
    models, made = sum(coming.values()), int(1e9 * sum(written.values()))
    if _device(cache) == _device(home):
        models, made = 0, models + made
    for size, folder, what, option in ((made, home, "the run", "--outputs"), (models, cache, "models", "HF_HOME")):
        if size:
            yield Check(ALL, f"{size / 1e9:.1f} GB of disk", partial(web.need, folder, size, what, option))


def _device(folder: Path) -> int:
    return next(each for each in (folder, *folder.parents) if each.exists()).stat().st_dev


def _configs(plan: Plan, notebook: str) -> list[Any]:
    """The parameters of the first item of a notebook that is executed; none where it is not."""
    return [item.cfg({}) for item in plan.mine if item.stage.name == notebook][:1]
