"""A saved adapter: PEFT's own files, what PEFT forgets beside them (base, revision, preprocessing), a model card."""

import json
import warnings
from pathlib import Path
from typing import Any

from safetensors import safe_open

from aligngemini.core import json_file, models, reading, shipped
from aligngemini.core.params import Refused, said

FACTS, CARD = "facts.json", "README.md"
WEIGHTS = "adapter_model.safetensors"
LOCAL = (
    " Its base `{base}` is a folder, not a model of the hub: what begins with `data/mini` ships with the project "
    "AlignGemini; any other has to be put there, seen from the project, by whoever loads the adapter."
)
DOMAIN = "domain.safetensors"  # see branches/domain.py
FILES = ["*.json", CARD, "*.safetensors"]  # what of a repository is an adapter


def save(model, folder: Path, facts: dict[str, Any], card: str, weights: dict | None = None) -> Path:
    """Write the adapter of a PEFT model into `folder`, with `facts` as JSON and `card` as its README; return `folder`.

    `facts` has at least `base` (folder or hub name) and `revision` ("" for the newest); PEFT's own configuration then
    names the same. `weights`: the model's state gathered from several processes, if sharded.
    """
    folder, config = Path(folder), model.peft_config["default"]
    config.base_model_name_or_path, config.revision = facts["base"], facts["revision"] or None
    # PEFT would ask the hub whether the embeddings have grown; no adapter here touches them.
    model.save_pretrained(folder, state_dict=weights, save_embedding_layers=False)
    json_file.write(folder / FACTS, facts)
    (folder / CARD).write_text(card, encoding="utf-8")
    return folder


def base(model: Any) -> Any:
    """The model without the wrapper that PEFT puts around it, itself if it has none."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def home(adapter: str | Path) -> Path:
    """The folder of an adapter, which is one or a name on the hub (owner/name); what the hub has is fetched.

    Raises Refused where it is neither, or where the hub does not give it.
    """
    from huggingface_hub import snapshot_download

    place = str(adapter) if Path(adapter).is_dir() else models.where(str(adapter), "adapter")
    if Path(place).is_dir():
        return Path(place)
    try:
        return Path(snapshot_download(place, allow_patterns=FILES))
    except (OSError, RuntimeError, ValueError) as error:
        raise models.unloadable(place, "adapter", error) from error


def facts(folder: Path) -> dict[str, Any]:
    """Return the facts of the adapter in `folder`, as `save` wrote them. Raises Refused if missing or damaged."""
    try:
        facts = reading.json(Path(folder) / FACTS)
        return {"base": facts["base"], "revision": facts["revision"], **facts}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise Refused(
            f"{folder} does not say what its adapter was trained on ({FACTS} is missing or damaged)."
        ) from error


def put(model, folder: Path):
    """The model with the adapter in `folder` on it, every key accounted for, ready to judge (eval).

    Raises Refused if it does not fit: PEFT itself would warn of missing keys, leave them at zero, and say nothing of
    keys that it has no place for. Only safetensors are read.
    """
    from peft import PeftModel

    shipped.check(Path(folder), "adapter")
    if not (Path(folder) / WEIGHTS).is_file():
        raise Refused(f"There is no adapter in {folder}: it holds no {WEIGHTS}.")
    models.check(Path(folder), "adapter")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*missing adapter keys.*")  # check_keys says more
        try:
            adapted = PeftModel.from_pretrained(model, folder)
        except (RuntimeError, ValueError, OSError, TypeError, LookupError, AttributeError) as error:
            raise _misfit(folder, said(error)) from error
    check_keys(adapted, folder)
    return adapted.eval()


def check_keys(model, folder: Path) -> None:
    """Raise Refused unless the weights saved in `folder` are exactly those of the PEFT model's adapter, by name."""
    from peft import get_peft_model_state_dict

    with safe_open(Path(folder) / WEIGHTS, framework="pt") as file:
        saved = set(file.keys())
    wanted = set(get_peft_model_state_dict(model, save_embedding_layers=False))
    for names, what in ((wanted - saved, "it lacks"), (saved - wanted, "the model has no place for")):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise _misfit(folder, f"{what} {min(names)}{more}")


def _misfit(folder: Path, why: str) -> Refused:
    return Refused(f"The adapter {folder} does not fit this base: {why}. Load it on the base it was trained on.")


def card(title: str, summary: str, facts: dict[str, Any], use: str) -> str:
    """A model card as Markdown: front matter for the hub, a `summary`, every fact as a row, and Python code to `use`
    it.
    """
    local = facts["base"].startswith((".", "/", "~", "data/", "outputs/"))
    base = "" if local else facts["base"]
    summary += LOCAL.format(**facts) if local else ""
    front = ["library_name: peft", *([f"base_model: {base}"] if base else []), "tags: [aligngemini, lora]"]
    rows = ["| what | value |", "| --- | --- |"]
    for name, value in json_file.plain(facts).items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        text = text.replace("|", "\\|").replace("\n", " ")
        rows.append(f"| {name.replace('_', ' ')} | {text} |")
    code = f"```python\n{use}\n```"
    return "\n".join(["---", *front, "---", "", f"# {title}", "", summary, "", *rows, "", "## Use", "", code, ""])
