"""Command lines that sentences advise: followed as they are, they make the very run that is spoken of."""

import os
import shlex
from typing import Any

import yaml

from aligngemini.core import paths, recipes, stages
from aligngemini.core.params import Params, Refused, names

APART = ("scale", "seed")  # parameters with an option of their own


def make(notebook: str, params: dict[str, Any], *words: str) -> str:
    """Return the command that makes the run of `notebook` with `params`, all of its parameters or some.

    Those that the scale's recipe gives anyway are left out, except where its study would try several.
    `words` are further options.
    """
    stage, scale = stages.find(notebook), params.get("scale")
    usual, varied = _usual(str(scale) if scale else "mini", stage)
    found = ["aligngemini", "run", *(["--scale", str(scale)] if scale else []), "--only", notebook[:2], *words]
    if params.get("seed") not in (None, usual.get("seed")):
        found += ["--seed", str(params["seed"])]
    for name in [name for name in names(stage.params) if name in params and name not in APART]:
        if name in varied or name not in usual or usual[name] != params[name]:
            found += ["-p", name, spelt(params[name])]
    return shlex.join([*found, *outputs()])


def onward(scale: str, study: str, options: list[tuple[str, str]]) -> str:
    """Return the command that goes on to the report with all that another was given; `options` are (name, text)."""
    words = ["--scale", scale, *(["--study", study] if study else [])]
    for name, text in options:
        words += ["--seed", text] if name == "seed" else ["-p", name, text]
    return shlex.join(["aligngemini", "run", *words, *outputs()])


def sweep(scale: str, study: str, seeds: str, options: list[tuple[str, str]]) -> str:
    """Return the command that makes a study's section again; `options` are (name, text)."""
    words = ["--scale", scale, "--seeds", seeds, *(word for pair in options for word in ("-p", *pair))]
    return shlex.join(["aligngemini", "sweep", study, *words])


def outputs() -> list[str]:
    """Return the words that name the folder of the runs, where it is not the usual one."""
    return ["--outputs", paths.short(paths.outputs())] if os.environ.get("ALIGNGEMINI_OUTPUTS") else []


def spelt(value: Any) -> str:
    """Return a value as `-p` takes it: a text as it is, all else as YAML in one line."""
    if isinstance(value, str):
        return value
    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), allow_unicode=True)
    return text.removesuffix("\n...\n").strip()


def _usual(scale: str, stage: stages.Stage) -> tuple[dict[str, Any], set[str]]:
    """The parameters that `stage` has at `scale` when nothing is said, and which of them its study varies."""
    try:
        given = recipes.recipe(scale, stage)
        grid = recipes.study(recipes.settings(scale)["study"]).grid.get(stage.name, {})
        usual: Params = stage.params(**given | {"scale": scale})
    except Refused:  # a recipe that is gone or damaged gives nothing
        return {}, set()
    return vars(usual), set(grid)
