"""The stages: what the authors have of each, how it is run and counted, and which setting makes it smaller."""

from collections.abc import Callable
from dataclasses import dataclass

from ..workbook.stages import DATA, EXPERT, VLM
from . import counts, doors
from .setting import Setting

# The published sizes (arXiv 2512.06746): 11.8K pairs of photograph and reconstruction, 5K real and 5K surreal pictures
# with a preference pair each. Test pictures are told for 10,000.
PAIRS, PREFERENCES, TESTED = 11_800, 10_000, 10_000


@dataclass(frozen=True)
class Part:
    """One stage: `door(model, setting, folder, lap)` runs it, `count(model, setting)` counts it on the meta device;
    `count` is None where there is no work for a card.

    many: units of the published experiment in one epoch; shrink: the setting to lower if it does not fit; notebook: the
    one whose time it makes, "" for none; size: width and height of what it looks at, px; by_area: whether its time
    grows with the pixels of a photograph; asked: whether the recipe has it at all; processes: how many share it.
    """

    name: str
    unit: str
    many: int
    door: Callable
    count: Callable | None
    shrink: str
    notebook: str = ""
    size: Callable[[Setting], tuple[int, int]] = doors.square
    by_area: bool = False
    asked: Callable[[Setting], bool] = lambda setting: True
    processes: Callable[[Setting], int] = lambda setting: 1
    epochs: Callable[[Setting], float] = lambda setting: 1.0

    def units(self, setting: Setting) -> float:
        """Units of the whole published experiment."""
        return self.many * self.epochs(setting)

    def px(self, setting: Setting) -> str:
        """Its `size`, spelt."""
        return "x".join(map(str, self.size(setting)))


@dataclass(frozen=True)
class Cast:
    """A model and the stages it plays in, in order: `build(setting, folder, device)` makes it, `shape(setting)` its
    double on the meta device; `heavy`: at paper scale not for a CPU.
    """

    name: str
    build: Callable
    shape: Callable
    parts: tuple[Part, ...]
    heavy: bool = False

    def asked(self, setting: Setting) -> list[Part]:
        """The stages that the recipes ask for."""
        return [part for part in self.parts if part.asked(setting)]


def _crop(setting: Setting) -> tuple[int, int]:
    return setting.expert.crop, setting.expert.crop


AUTOENCODER = Part(
    "reconstruction", "photograph", PAIRS, doors.reconstruction, counts.reconstruction, "max_side", DATA,
    size=lambda setting: setting.photo, by_area=True,
)  # fmt: skip
VIEWS = Part(
    "expert views", "pair", PAIRS, doors.expert_views, None, "workers",
    size=_crop, epochs=lambda setting: setting.expert.epochs, processes=lambda setting: max(1, setting.expert.workers),
)  # fmt: skip
TRAINING = Part(
    "expert training", "pair", PAIRS, doors.expert_training, counts.expert_training, "batch_pairs or crop", EXPERT,
    size=_crop, epochs=lambda setting: setting.expert.epochs,
)  # fmt: skip
JUDGING = Part(
    "expert scoring", "picture", TESTED, doors.expert_scoring, counts.expert_scoring, "score_batch_size", EXPERT,
    size=_crop,
)  # fmt: skip
VERDICTS = Part(
    "verdict scoring", "picture", TESTED, doors.verdict_scoring, counts.verdict_scoring, "score_batch_size", VLM
)
EXPLAINING = Part("explaining", "picture", TESTED, doors.explaining, counts.explaining, "max_pixels")
LABELLING = Part(
    "labelling", "picture", PREFERENCES, doors.labelling, counts.labelling, "score_batch_size", VLM,
    asked=lambda setting: bool(setting.vlm.labeller),
)  # fmt: skip
PREFERRING = Part(
    "DPO", "pair", PREFERENCES, doors.preference, counts.preference,
    "batch_size or max_pixels, or set gradient_checkpointing", VLM, epochs=lambda setting: setting.vlm.epochs,
)  # fmt: skip
CASTS = (
    Cast("autoencoder", doors.build_vae, counts.vae, (AUTOENCODER,)),
    Cast("expert", doors.build_expert, counts.expert, (VIEWS, TRAINING, JUDGING)),
    Cast("VLM", doors.build_vlm, counts.vlm, (VERDICTS, EXPLAINING, LABELLING, PREFERRING), heavy=True),
)
