"""Our DPO against TRL's plain trainer on the same pairs: pairs per second of both in one run, by the clock and by
processor time, their ratio, and how far the losses of any step are apart.

`python tests/benchmarks/dpo.py [PAIRS] [SHRINK] [PRECISION]`: a Qwen2.5-VL-7B of random weights, its widths divided by
SHRINK (1 for the real size, on a GPU; 16 fits a processor) and, if that is above 1, its depths by 4 and its vocabulary
by as much again: vision tower, layers and vocabulary keep their proportion. Pictures have 448 px, 256 tokens; answers
are as long as a labeller writes them.
"""

import gc
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from transformers import PrinterCallback, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, TrainerCallback
from trl import DPOTrainer

from aligngemini.mini import bases
from aligngemini.vlm import dpo, load, preference_pairs
from aligngemini.vlm.params import VLMParams

LONG = 50  # words of a reason, about two sentences
WORDS = ["the", "dog", "house", "on", "in", "a", "tree", "and", "one", "two", "red", "blue"]


def config(shrink: int, tokenizer) -> Qwen2_5_VLConfig:
    """The published shape (hub: Qwen/Qwen2.5-VL-7B-Instruct, config.json), made smaller."""
    small = shrink > 1
    heads, layers = (7, 7) if small else (28, 28)
    head = 3584 // shrink // heads
    text = {"hidden_size": 3584 // shrink, "intermediate_size": 18944 // shrink, "num_hidden_layers": layers}
    text |= {
        "num_attention_heads": heads,
        "num_key_value_heads": heads // 7,
        "vocab_size": 152064 // shrink // (28 // layers),
    }
    text |= {"bos_token_id": None, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    text["rope_scaling"] = {"type": "mrope", "mrope_section": [head // 8, 3 * head // 16, 3 * head // 16]}
    vision = {"hidden_size": 1280 // shrink, "intermediate_size": 3420 // shrink, "depth": 8 if small else 32}
    vision |= {"num_heads": 5 if small else 16, "out_hidden_size": 3584 // shrink}
    vision["fullatt_block_indexes"] = [7] if small else [7, 15, 23, 31]
    ids = {name: tokenizer.convert_tokens_to_ids(f"<|{name}|>") for name in ("image_pad", "vision_start", "vision_end")}
    tokens = {"image_token_id": ids["image_pad"], "vision_start_token_id": ids["vision_start"]}
    return Qwen2_5_VLConfig(text_config=text, vision_config=vision, vision_end_token_id=ids["vision_end"], **tokens)


def base(shrink: int, cfg) -> load.VLM:
    """The model with the mini base's processor; the same weights every time."""
    processor = load.load(str(bases.FOLDERS["vlm"]), max_pixels=cfg.max_pixels).processor
    torch.manual_seed(0)
    shape = config(shrink, processor.tokenizer)
    with torch.device(load.place()):
        model = Qwen2_5_VLForConditionalGeneration._from_config(shape, dtype=load.dtype_for(cfg.precision))
    return load.VLM(model, processor, cfg.max_pixels)


def frame(folder: str, count: int) -> pd.DataFrame:
    """Pairs over pictures of noise with the mini base's words in the answers."""
    rng, rows = np.random.default_rng(0), []
    for i in range(count):
        path = Path(folder, f"{i}.png")
        Image.fromarray(rng.integers(0, 256, (448, 448, 3), dtype=np.uint8)).save(path)
        said = [preference_pairs.answer(label, " ".join(rng.choice(WORDS, LONG))) for label in (i % 2, 1 - i % 2)]
        rows.append({"path": str(path), "chosen": said[0], "rejected": said[1]})
    return pd.DataFrame(rows)


def plain(vlm: load.VLM, rows: pd.DataFrame, cfg, folder: Path) -> DPOTrainer:
    """As TRL's documentation has it."""
    given = {"args": dpo.settings(cfg, folder), "peft_config": dpo.lora(vlm, cfg), "processing_class": vlm.processor}
    return DPOTrainer(model=vlm.model.train(), train_dataset=preference_pairs.dataset(rows), **given)


class Clock(TrainerCallback):
    """When each step ended."""

    def __init__(self):
        self.times = []

    def on_step_end(self, args, state, control, **kwargs):
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.times.append((time.perf_counter(), time.process_time()))


def measured(trainer: DPOTrainer, cfg) -> tuple[list[float], list[float]]:
    """Pairs per second by the clock and by processor time, the first step left out, and the loss of every step."""
    clock = Clock()
    trainer.add_callback(clock)
    trainer.remove_callback(PrinterCallback)
    trainer.args.logging_steps, trainer.args.save_strategy = 1, "no"
    trainer.train()
    pairs_seen = cfg.batch_size * (len(clock.times) - 1)
    rates = [pairs_seen / (end - begun) for begun, end in zip(clock.times[0], clock.times[-1], strict=True)]
    return rates, dpo.history(trainer).loss.tolist()


def main(count: int, shrink: int, precision: str) -> None:
    cfg = VLMParams(
        objective="dpo", batch_size=1, learning_rate=1e-3, max_pixels=448 * 448, gradient_checkpointing=True
    )
    cfg = cfg.replace(share_prompt=True, precision=precision, beta=0.05)
    with tempfile.TemporaryDirectory() as folder:
        rows, home = frame(folder, count), Path(folder)
        slow, wanted = measured(plain(base(shrink, cfg), rows, cfg, home / "plain"), cfg)
        gc.collect()  # the first model, before the second is made
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        quick, found = measured(dpo.build(base(shrink, cfg), rows, cfg, home / "ours"), cfg)
    apart = max(abs(one - other) for one, other in zip(wanted, found, strict=True))
    for name, ours, theirs in zip(("clock", "processor time"), quick, slow, strict=True):
        print(f"by {name}: ours {ours:.3f} pairs/s, plain {theirs:.3f} pairs/s, ratio {ours / theirs:.2f}")
    print(f"losses {apart:.1g} apart")
    if torch.cuda.is_available():
        print(f"peak memory {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB")


if __name__ == "__main__":
    given = sys.argv[1:]
    main(*(int(word) for word in given[:2]), *(12, 16)[len(given) :], given[2] if len(given) > 2 else "float32")
