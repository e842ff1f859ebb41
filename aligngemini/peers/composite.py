"""A backbone with LoRA inside a network of a peer's own: how it judges, is saved, and comes back."""

from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from aligngemini.core.params import Refused
from aligngemini.expert import adapter, backbone
from aligngemini.expert.branch import ExpertBranch
from aligngemini.expert.params import ExpertParams

SUMMARY = (
    "A detector to compare the branches of AlignGemini with: a LoRA adapter of a vision backbone, trained on images of "
    "a data run. One score for the centre crop, padded with black where an image is smaller, never resized; above 0.5 "
    "it says fake."
)
FACTS = ExpertBranch.FACTS | {"options": str}
INSIDE = "model."  # what the names of the backbone's weights begin with; the adapter holds what of them was trained


class Composite(backbone.Expert):
    """An expert whose model is a network that holds the backbone as `model`, and whose last result is the logits."""

    def judged(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What the network gives for uint8 images [n, 3, H, W]: something of its own, and logits [n]."""
        return self.model(self.pixels(images))


def around(adapted: backbone.Expert, network: nn.Module) -> Composite:
    """The network as an expert; it holds the model of `adapted`."""
    return Composite(network.to(adapted.device), adapted.mean, adapted.std, adapted.metadata)


def save(
    adapted: backbone.Expert,
    kind: str,
    source: str,
    config: ExpertParams,
    pairs: int,
    log: list[dict],
    out: Path,
    network: nn.Module | None = None,
) -> dict[str, Any]:
    """Write a peer of that kind, made from the text of options `source`, into the folder `out`: adapter, card, history
    of training, and what a `network` adds. Returns the facts that it is loaded by.
    """
    facts = adapter.facts(adapted, config, pairs, len(log)) | {"options": source}
    adapter.save(adapted, out, facts, kind, SUMMARY)
    pd.DataFrame(log).to_parquet(Path(out) / "history.parquet", index=False)
    if network is not None:
        added = {name: each for name, each in network.state_dict().items() if not name.startswith(INSIDE)}
        save_file(added, Path(out) / f"{kind}.safetensors")
    return {name: facts[name] for name in FACTS}


def restore(network: nn.Module, weights: Path) -> None:
    """Give a network, whose backbone is loaded, the rest of its weights from a file. Raises Refused."""
    added = load_file(weights)
    wanted = {name: each.shape for name, each in network.state_dict().items() if not name.startswith(INSIDE)}
    if {name: each.shape for name, each in added.items()} != wanted:
        raise Refused(f"{weights} does not fit its options: run the notebook that made it again.")
    network.load_state_dict(added, strict=False)
    network.eval()
