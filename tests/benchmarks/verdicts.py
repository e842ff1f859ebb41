"""Verdicts by teacher-forced scoring against the obvious way: generate an answer for each picture and parse it.

`python tests/benchmarks/verdicts.py [PICTURES] [SHRINK]` prints pictures per second of both ways in one run, by the
clock and by processor time, their ratio, and how often the verdicts agree where the answer holds one. The model is the
shipped detector's; with SHRINK, one of random weights and the published shape made smaller as in dpo.py (1: full size),
which gives no verdicts but has the proportions.
"""

import sys
import time

import numpy as np
import torch
from PIL import Image

from aligngemini.detector import SHIPPED
from aligngemini.mini import bases
from aligngemini.vlm import adapter, load, verdict
from aligngemini.vlm.params import VLMParams
from aligngemini.world import world


def generated(vlm: load.VLM, pictures: list[Image.Image]) -> list[str]:
    """One picture at a time, up to 64 tokens of free text."""
    said = []
    for picture in pictures:
        batch = verdict.prompts(vlm, [picture])
        with torch.inference_mode():
            whole = vlm.model.generate(**batch, max_new_tokens=64, do_sample=False)
        said.append(vlm.processor.tokenizer.decode(whole[0, batch["input_ids"].shape[1] :]))
    return said


def parsed(said: list[str]) -> np.ndarray:
    """1 for fake, 0 for real, -1 where neither verdict opens the answer."""
    opens = [[text.strip().startswith(sentence) for sentence in verdict.VERDICTS.values()] for text in said]
    return np.array([found.index(True) if any(found) else -1 for found in opens])


def forced(vlm: load.VLM, pictures: list[Image.Image]) -> np.ndarray:
    """p(fake), 16 pictures at a time."""
    return np.concatenate([verdict.p_fake(vlm, pictures[at : at + 16]) for at in range(0, len(pictures), 16)])


def timed(work, vlm: load.VLM, pictures: list[Image.Image]) -> tuple[list[float], object]:
    """Pictures per second of `work` by the clock and by processor time, and what it gave."""
    begun = time.perf_counter(), time.process_time()
    given = work(vlm, pictures)
    ended = time.perf_counter(), time.process_time()
    return [len(pictures) / (end - start) for start, end in zip(begun, ended, strict=True)], given


def model(shrink: int) -> tuple[load.VLM, int]:
    """The model to judge with, and the side of its pictures in px."""
    if not shrink:
        return adapter.with_adapter(load.load(str(bases.FOLDERS["vlm"])), SHIPPED / "vlm"), 112
    from dpo import base  # beside this script

    vlm = base(shrink, VLMParams(max_pixels=448 * 448))
    return load.VLM(vlm.model.eval(), vlm.processor, vlm.max_pixels), 448


def main(count: int, shrink: int) -> None:
    vlm, side = model(shrink)
    drawn = [Image.fromarray(world.draw(0, "benchmark", i, bool(i % 2)).rgb) for i in range(count)]
    pictures = [picture.resize((side, side)) for picture in drawn]
    forced(vlm, pictures[:2]), generated(vlm, pictures[:2])
    (quick, scores), (slow, said) = timed(forced, vlm, pictures), timed(generated, vlm, pictures)
    for name, ours, plain in zip(("clock", "processor time"), quick, slow, strict=True):
        print(f"by {name}: forced {ours:.1f}/s, generated {plain:.1f}/s, ratio {ours / plain:.1f}")
    told = parsed(said)
    same = ((scores > 0.5) == told)[told >= 0]
    print(
        f"{len(same)} of {count} answers hold a verdict" + (f", {same.mean():.0%} of them agree" if len(same) else "")
    )


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(*given, *(64, 0)[len(given) :])
