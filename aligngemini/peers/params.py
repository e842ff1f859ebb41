"""The parameters of notebook 06, and the options of each peer."""

from functools import partial
from typing import Annotated

from aligngemini.branches import branch_runs
from aligngemini.branches.options import Options
from aligngemini.core import fields, models
from aligngemini.core.params import Params, Refused, advanced, param
from aligngemini.core.stages import FUSION
from aligngemini.images.perturb import PERTURBATIONS

from .manipulate import KINDS

PEERS = ["frequency", "probe", "reconstruction", "self_reference", "rigid", "blur", "minder"]


class PeersParams(Params):
    """Parameters of notebook 06: which other detectors are compared, and how."""

    fusion_run: str = param("latest", "run of notebook 04 to compare with", filled=True, upstream=FUSION)
    peers: list[str] = param(
        PEERS,
        "detectors to compare, each a kind of branches/registry.py with its options or its file",
        filled=True,
        read=partial(branch_runs.read, runs=False),
    )
    explained: list[str] = advanced(
        ["vlm latest supervision:semantic"],
        "runs of notebook 02 whose explanations are held against the truth",
        read=partial(branch_runs.read, runs=False),
    )
    explained_images: int = advanced(40, "images that each of them explains, 0 or more", least=0)
    perturbations: list[str] = advanced(
        ["jpeg", "blur", "noise"], "what images suffer in the degradation curves", choices=list(PERTURBATIONS)
    )
    curve_images: int = advanced(100, "images behind each point of these curves, 2 or more", least=2)
    resamples: fields.Resamples = 2000
    confidence: fields.Confidence = 0.95

    def check(self) -> None:
        """Refuse branches that have a run of their own: they come with fusion_run."""
        for each in branch_runs.read(self.peers, runs=False):
            if each.kind.notebook:
                raise Refused(f"peers: {each.kind.name} comes with fusion_run: name it in branch_runs of {FUSION}")


Base = Annotated[str, param(..., "frozen backbone, a folder or hub name", filled=True, source="model")]
Revision = Annotated[str, param(..., "revision of the backbone on the hub, empty for the newest")]
Crop = Annotated[int, param(..., "side of the centre crop, px, a multiple of the patch size", least=32)]
SAYS_FAKE = "whether a large statistic (high, as published) or a small one (low) says fake"
Direction = Annotated[str, param(..., SAYS_FAKE, choices=["high", "low"])]


class BackboneOptions(Options):
    """Options of the peers that look through a backbone."""

    base: Base = "data/mini/expert"
    revision: Revision = ""
    crop: Crop = 112

    def check(self) -> None:
        """Refuse crops that cut a patch."""
        models.check_crop(self.base, self.crop)


class FrozenOptions(BackboneOptions):
    """Options of the training-free peers that compare two views of an image in a frozen backbone."""

    # 0.009, 3 draws and 0.55 are those of one reproduction; the papers' own values are not known to us
    noise: float = param(0.009, "sigma of the noise, as a share of white", above=0, most=1)
    draws: int = param(3, "noise patterns per image", least=1, most=64)
    blur: float = param(0.55, "sigma of the blur, px", above=0, most=20)
    direction: Direction = "high"


class ReconstructionOptions(Options):
    """Options of the peers that send an image through an autoencoder."""

    vae: str = param("data/mini/vae/kl", "autoencoder, a folder or hub name", filled=True, source="model")
    revision: str = param("", "revision of the autoencoder on the hub, empty for the newest")
    crop: Crop = 112
    direction: str = param("low", "whether a small error (low, as published) or a large one (high) says fake",
                           choices=["high", "low"])  # fmt: skip


class ProbeOptions(Options):
    """Options of a logistic regression on frozen features."""

    train: str = param("pixel", "training set, pixel, semantic or union, or a labelled folder", filled=True)
    base: Base = "data/mini/expert"
    revision: Revision = ""
    crop: Crop = 112
    check = BackboneOptions.check


class EffortOptions(Options):
    """Options of Effort: training as the expert's, another adapter."""

    train: str = param("pixel", "training set of the data run", choices=["pixel", "semantic", "union"])
    base: Base = "data/mini/expert"
    revision: Revision = ""
    crop: Crop = 112
    rank: int = param(1, "smallest singular triplets of each layer that train, as published 1", least=1)
    epochs: float = param(2.0, "passes over the training pairs; ours", above=0)
    learning_rate: float = param(
        3.0e-3, "step size at first; ours for the mini base, 0.0002 as published", above=0, most=1
    )
    orthogonality: float = param(0.0, "weight of the orthogonality penalty, 0 as in the released code", least=0)
    preservation: float = param(0.0, "weight of the singular-value penalty, 0 as in the released code", least=0)
    check = BackboneOptions.check


class MirrorOptions(BackboneOptions):
    """Options of MIRROR and of its remainder without training."""

    slots: int = param(512, "prototypes in the memory; ours, for the mini base (released 4096)", least=2)
    heads: int = param(8, "parts of a feature that look for prototypes apart, as released", least=1)
    top: int = param(32, "prototypes that each part may use; ours, for the mini base (released 128)", least=1)
    token: bool = param(True, "whether the head sees the class token (released code yes, paper no)")
    epochs: float = param(2.0, "passes over the training pairs; ours", above=0)
    direction: Direction = "high"


class GammaOptions(BackboneOptions):
    """Options of GAMMA; all values are ours, for the mini base."""

    kinds: list[str] = param(list(KINDS), "manipulations to train on", choices=list(KINDS), filled=True)
    segment: bool = param(True, "whether two segmentation heads say which pixels are generated and which were moved")
    guide: bool = param(True, "whether segmentation features guide the verdict by reverse cross-attention")
    moved: bool = param(False, "whether camera pixels that were moved make an image fake, as a decoder's pixels do")
    weight: float = param(1.0, "weight of the loss of the masks beside that of the verdicts", least=0)
    epochs: float = param(2.0, "passes over the training pairs", above=0)
    learning_rate: float = param(3.0e-3, "step size at first", above=0, most=1)

    def check(self) -> None:
        """Refuse guidance by what is not there."""
        super().check()
        if self.guide and not self.segment:
            raise Refused("guide needs segment: give guide=false, too")


class ClassifierOptions(Options):
    """Options of an image classifier of the hub."""

    model: str = param("", "image classifier, a folder or hub name", filled=True, source="model")
    revision: str = param("", "revision of the classifier on the hub, empty for the newest")
    fake: str = param("", "its label of fake images, empty to find it among words such as fake, ai, artificial")


class CallableOptions(Options):
    """Options of a function in Python."""

    function: str = param("", "module:function, from a list of uint8 [H, W, 3] to p(fake) of each", filled=True)

    def check(self) -> None:
        """Refuse what is no module:function."""
        module, colon, function = self.function.partition(":")
        if not (colon and function.isidentifier() and all(part.isidentifier() for part in module.split("."))):
            raise Refused(f"function must be module:function, got {self.function!r}")
