"""A backbone with LoRA inside a network of a peer's own: how it judges, is saved, and comes back."""

from pathlib import Path

import pandas as pd
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from aligngemini.core.params import Refused
from aligngemini.expert import adapter, backbone
from aligngemini.expert.params import ExpertParams

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
    adapted: backbone.Expert, network: nn.Module, config: ExpertParams, pairs: int, log: list[dict], weights: Path
) -> None:
    """Write the adapter and the history of training beside the file `weights`, which gets what the network adds."""
    adapter.save(adapted, weights.parent, adapter.facts(adapted, config, pairs, len(log)))
    added = {name: each for name, each in network.state_dict().items() if not name.startswith(INSIDE)}
    save_file(added, weights)
    pd.DataFrame(log).to_parquet(weights.parent / "history.parquet", index=False)


def restore(network: nn.Module, weights: Path) -> None:
    """Give a network, whose backbone is loaded, the rest of its weights from a file. Raises Refused."""
    added = load_file(weights)
    wanted = {name: each.shape for name, each in network.state_dict().items() if not name.startswith(INSIDE)}
    if {name: each.shape for name, each in added.items()} != wanted:
        raise Refused(f"{weights} does not fit its options: run the notebook that made it again.")
    network.load_state_dict(added, strict=False)
    network.eval()
