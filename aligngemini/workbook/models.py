"""Where a model comes from: a folder in hub format or a hub name, and what to do when it does not load."""

from . import paths
from .params import Refused

MADE_HERE = "make the mini bases with `aligngemini mini pretrain`"


def where(base: str, what: str) -> str:
    """The absolute folder that `base` names, or `base` itself if it is a hub name (owner/name).

    Raises Refused if it is neither: a path that is not there must never be asked of the hub.
    """
    folder = paths.resolve(base)
    if folder.is_dir():
        return str(folder)
    if base.count("/") == 1 and not base.startswith((".", "~", "/", "data/", "outputs/")):
        return base
    advice = MADE_HERE if base.startswith("data/mini") else "check the path, or give a hub name like owner/name"
    raise Refused(f"There is no {what} at {base!r}: {advice}.")


def unloadable(base: str, what: str, error: Exception) -> Refused:
    """The refusal for a model that is there (or on the hub) but cannot be loaded: what, why in one line, what next."""
    why = next(iter(str(error).splitlines()), type(error).__name__)
    return Refused(
        f"The {what} {base!r} cannot be loaded: {why} If it comes from the hub, is it reachable, and is a gated "
        "model's licence accepted (`hf auth login`)? If it is a folder, is it complete?"
    )
