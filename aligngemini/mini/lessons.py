"""Conversations about pictures from which the small language model learns to describe, to answer and to choose."""

import numpy as np
import torch
from PIL import Image

from aligngemini.core.seeds import generator
from aligngemini.images import degrade
from aligngemini.images.params import DataParams
from aligngemini.world import captions, world
from aligngemini.world.camera import photograph
from aligngemini.world.kinds import KINDS
from aligngemini.world.scenes import Scene

from .eyes import COLOURS
from .language import HINT

DESCRIBE = "Describe the picture."
ADJECTIVES = ("real", "fake", *COLOURS)
DEGRADED = 0.5  # share of pictures that go through the degradation chain, as a real VLM has seen poor pictures too
RANGES = degrade.ranges(DataParams())
BLOCK = 16  # lessons of one kind in a row, so that a batch needs little padding
REMARKED = 0.8  # share of an evaluative base's lessons that say whether the scene is usual or strange
HARD = ("count", "placement", "number")  # hardest to see or to tell: half of all lessons are drawn from these
SUBTLE = ("count", "support", "shadow", "light", "number")  # hardest to judge or to say: half of all short lessons

Turn = tuple[str, str]


def shown(seed: int, split: str, index: int, favoured: tuple[str, ...] = HARD) -> tuple[np.ndarray, Scene, str, bool]:
    """What lesson `index` is about: uint8 picture, its scene, the family that tells its twin apart, and if violated.

    Half of all lessons are about one of the `favoured` families.
    """
    rng = generator("lesson", seed, split, index)
    violated, favour = (bool(each < 0.5) for each in rng.random(2))
    limits = world.Limits(families=favoured) if favour else world.ANYTHING
    scene, about = world.scene(seed, split, index, violated, limits)
    return seen(world.paint(scene, seed, split, index), rng), scene, about, violated


def seen(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A scene as a camera shows it, half the time heavily degraded: uint8 in, uint8 out, same size."""
    rgb, quality = photograph(rgb, rng)
    if rng.random() < DEGRADED:
        return degrade.degrade(rgb, degrade.draw(RANGES, rng))
    return degrade.compress(rgb, quality)


def lesson(
    seed: int, split: str, index: int, short: bool = False, evaluative: bool = False
) -> tuple[np.ndarray, list[Turn]]:
    """One picture and a conversation of (request, answer) about it.

    Of four blocks of BLOCK indices three ask for whole descriptions: they teach most in the fewest words. The fourth
    lets choose between two words, asks about what tells the picture from its twin and about something else, and gives
    a sentence to repeat. If `short`, one block asks for descriptions and two for a choice alone. Only if `evaluative`
    do REMARKED of all lessons also say whether the scene is usual or strange. Real or fake is never said of a picture.
    """
    rgb, scene, about, violated = shown(seed, split, index, SUBTLE if short else HARD)
    rng, block = generator("talk", seed, split, index), index // BLOCK % 4
    kind = "strange" if violated else "usual"
    remarked = evaluative and rng.random() < REMARKED
    if block < (1 if short else 3):
        return rgb, [(DESCRIBE, captions.caption(scene) + (f" A {kind} scene." if remarked else ""))]
    told = either(kind, ("usual", "strange"), captions.remark(scene, about), rng) if remarked else choice(scene, rng)
    if short and block < 3:
        return rgb, [told]
    return rgb, [told, *_asked(scene, about, rng)[: 1 if short else 2], repetition(rng)]


def _asked(scene: Scene, about: str, rng: np.random.Generator) -> list[Turn]:
    other = rng.choice([f for f in captions.QUESTIONS if f != about and captions.remark(scene, f)])
    return [(captions.QUESTIONS[f], captions.remark(scene, f)) for f in (about, other)]


def either(true: str, words: tuple[str, ...], more: str, rng: np.random.Generator) -> Turn:
    """An either-or question answered in the form of a verdict, half the time with a sentence `more`."""
    first, second = rng.permutation([true, rng.choice([word for word in words if word != true])])
    sentence = f"This image is {true}." + (f" {more}" if rng.random() < 0.5 else "")
    return f"Is this image {first} or {second}?{rng.choice(['', ' ' + HINT])}", sentence


def choice(scene: Scene, rng: np.random.Generator) -> Turn:
    """A choice between two words of which one is true: to look and to pick. Real and fake are never on offer."""
    subject = scene.things[0]
    offers = [(subject.colour, COLOURS), (subject.kind, tuple(KINDS))]
    offers += [(captions.GROUND[scene.place], tuple(captions.GROUND.values()))]
    offers += [] if scene.second_sun else [(scene.sun, ("left", "right"))]
    family = rng.choice([f for f in captions.QUESTIONS if captions.remark(scene, f)])
    return either(*offers[rng.integers(len(offers))], captions.remark(scene, family), rng)


def repetition(rng: np.random.Generator) -> Turn:
    """A verdict to repeat, whatever the picture: so that both words can be said, and mean nothing yet."""
    sentence = f"This image is {rng.choice(ADJECTIVES)}."
    return f"Say: {sentence}", sentence


def encode(tools, lessons: list[tuple[np.ndarray, list[Turn]]]) -> dict[str, torch.Tensor]:
    """Lessons as model inputs with labels on the answers alone (-100 elsewhere)."""
    talks = [_parts(tools, turns) for _, turns in lessons]
    pictures = [Image.fromarray(rgb) for rgb, _ in lessons]
    batch = tools(text=["".join(parts) for parts in talks], images=pictures, return_tensors="pt", padding=True)
    labels = torch.full_like(batch["input_ids"], -100)
    for row, parts in enumerate(talks):  # padding is on the left; the first part, with the picture in it, is a request
        lengths = [len(tools.tokenizer(part)["input_ids"]) for part in parts[1:]]
        end = labels.shape[1] - sum(lengths)
        for i, length in enumerate(lengths):
            if i % 2 == 0:
                labels[row, end : end + length] = batch["input_ids"][row, end : end + length]
            end += length
    return {**batch, "labels": labels}


def _parts(tools, turns: list[Turn]) -> list[str]:
    """A conversation in pieces, requests and answers in turn; an answer ends with its end-of-turn token."""
    parts, opening = [], ""
    for i, (request, answer) in enumerate(turns):
        content = [{"type": "image"}] * (i == 0) + [{"type": "text", "text": request}]
        asked = tools.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        parts += [opening + asked, f"{answer}<|im_end|>"]
        opening = "\n"
    return parts
