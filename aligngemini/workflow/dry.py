"""A dry run: all that the stages of a plan need, checked on this machine before one of them starts."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
from huggingface_hub import constants

from aligngemini.core import models, paths, run_spec, stages
from aligngemini.core.params import Refused
from aligngemini.fetch import bases, record, web
from aligngemini.images import sources
from aligngemini.images.loaders import benchmark_rows
from aligngemini.images.params import WORLD

from . import checks, dry_counts
from .checks import Check
from .plan import ALL, Plan

OK, MISSING = "ok", "missing"
VAES = dict.fromkeys(["vae", "more_vaes", "generators"], "vae")
ROLES = VAES | {"labeller": "vlm"}  # fields that name a model: how it is fetched
UNCHECKED = "not checked: whether the weights of a model fit it; its notebook compares all tensors when it loads them"
COLUMNS = ["stage", "needs", "state", "note or next step"]


def table(plan: Plan, problems: list[tuple[str, str]]) -> pd.DataFrame:
    """Run all checks of a plan: a row of COLUMNS for each. `problems`: notebooks and what is wrong with their
    parameters, see `plan.make`. Nothing is executed, downloaded or written.
    """
    bad, coming, written = {notebook for notebook, _ in problems}, dict[str, int](), dict[str, float]()
    rows = [(notebook, "parameters", MISSING, why) for notebook, why in problems]
    rows += [(item.stage.name, "parameters", OK, "") for item in plan.mine if item.stage.name not in bad]
    each = itertools.chain(checks.quick(plan), _packages(plan), _models(plan, coming), _pictures(plan))
    rows += [_row(check, plan.scale) for check in itertools.chain(each, dry_counts.checks(plan, written))]
    rows += [_row(check, plan.scale) for check in _disk(coming, written)]  # of what the checks before it found
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
    end = f"{missing or 'none'} of {len(rows)} needs {are} missing; nothing was started"
    return "\n".join([*padded, "", UNCHECKED, end])


def _row(check: Check, scale: str) -> tuple[str, str, str, str]:
    """The row of a check; what repeats the name of the need is left out, and advice names the scale."""
    try:
        note = check.run()
        return check.notebook, check.what, OK, note if isinstance(note, str) else ""
    except Refused as refusal:
        why = str(refusal).removeprefix(f"{check.what.split()[0]}: ").replace("--scale SCALE", f"--scale {scale}")
        return check.notebook, check.what, MISSING, why


def _packages(plan: Plan) -> Iterator[Check]:
    yield Check(ALL, "packages", _installed)
    yield Check(ALL, f"outputs {paths.short(paths.outputs())}", partial(paths.writable, paths.outputs()))
    for cfg in dry_counts.configs_of(plan, stages.VLM):
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
    for cfg in dry_counts.configs_of(plan, stages.DATA):
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
