"""Anybody's detector: an image classifier of the hub, or a function in Python."""

import inspect
import pkgutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from aligngemini.branches import identity
from aligngemini.branches.options import ByOptions
from aligngemini.core import devices, fingerprint, models
from aligngemini.core.params import Refused

from .params import CallableOptions, ClassifierOptions

FAKE = ("fake", "ai", "artificial", "generated", "synthetic", "aigenerated", "ai_generated", "deepfake", "machine")


class Classifier(ByOptions):
    """An image classifier in the format of transformers, weights as safetensors only."""

    kind = "classifier"

    def __init__(self, given: ClassifierOptions, name: str) -> None:
        from transformers import AutoImageProcessor, AutoModelForImageClassification

        super().__init__(given, name)
        place, revision = models.where(given.model, "classifier"), given.revision or None
        with models.loading(given.model, "classifier"):
            self.processor = AutoImageProcessor.from_pretrained(place, revision=revision)
            self.model = AutoModelForImageClassification.from_pretrained(place, revision=revision, use_safetensors=True)
        self.fake = _fake_label(self.model.config.id2label, given)
        self.model.to(devices.best()).eval()

    def prepare(self, rgb: np.ndarray, source: object = None, crop: int = 0) -> np.ndarray:
        """The image as its processor brings it to the model, float32 [3, H, W]."""
        return self.processor(images=Image.fromarray(rgb), return_tensors="np")["pixel_values"][0]

    @torch.inference_mode()
    def p_fake(self, views: list[np.ndarray]) -> np.ndarray:
        """Its probability of the label that says fake."""
        pixels = torch.from_numpy(np.stack(views)).to(self.model.device)
        return devices.double(self.model(pixels).logits).softmax(1)[:, self.fake].cpu().numpy()

    def identity(self, crop: int = 0) -> dict[str, Any]:
        weight = next(self.model.parameters())
        named = self.options.model, self.options.revision, Path("/nowhere"), "transformers", __name__
        return {"branch": self.kind, "fake": self.fake} | identity.of_model(weight, *named)


def _fake_label(labels: dict[int, str], given: ClassifierOptions) -> int:
    """The number of the label that says fake; raises Refused where that is not clear."""
    words = {place: str(label).lower().replace("-", "_").replace(" ", "_") for place, label in labels.items()}
    wanted = (given.fake.lower(),) if given.fake else FAKE
    found = [place for place, word in words.items() if word in wanted]
    if len(found) != 1:
        names = ", ".join(map(str, labels.values()))
        raise Refused(f"classifier {given.model} has the labels {names}: say with fake=LABEL which one means fake")
    return int(found[0])


class Callable(ByOptions):
    """A function from a list of uint8 [H, W, 3] to p(fake) of each; its module is imported from the working folder."""

    kind = "callable"

    def __init__(self, given: CallableOptions, name: str) -> None:
        super().__init__(given, name)
        sys.path.insert(0, "")
        try:
            self.function = pkgutil.resolve_name(given.function)
        except (ImportError, AttributeError) as error:
            raise Refused(f"callable {given.function} cannot be loaded ({error}): check the name") from error
        finally:
            sys.path.remove("")

    def prepare(self, rgb: np.ndarray, source: object = None, crop: int = 0) -> np.ndarray:
        """The whole image, uint8 [H, W, 3]."""
        return rgb.copy()

    def p_fake(self, views: list[np.ndarray]) -> np.ndarray:
        return np.asarray(self.function(views), dtype=np.float64).reshape(len(views))

    def identity(self, crop: int = 0) -> dict[str, Any]:
        """The bytes of its file stand for the function; what it imports does not count."""
        file = inspect.getsourcefile(inspect.unwrap(self.function))
        return {
            "branch": self.kind,
            "function": self.options.function,
            "file": fingerprint.of_file(Path(file)) if file else "",
        }
