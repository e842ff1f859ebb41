"""What stands before a VLM whose weights are random: the processor of its family, over the words of the mini one."""

from importlib.resources import files
from typing import Any

import transformers
from tokenizers import Tokenizer

from aligngemini.core import paths

MINI = "data/mini/vlm"
TILE, TOKENS = 512, 64  # of SmolVLM2's two smaller models: px of a tile, and what the language model gets of it
NAMED = {
    "image_token": "<image>",
    "fake_image_token": "<fake_token_around_image>",
    "global_image_token": "<global-img>",
    "end_of_utterance_token": "<end_of_utterance>",
}


def smolvlm() -> Any:
    """SmolVLM2's own processor and chat template, with images as its card has them: up to four tiles a side."""
    core = Tokenizer.from_file(str(paths.resolve(MINI) / "tokenizer.json"))
    tokens = {"eos_token": NAMED["end_of_utterance_token"], "pad_token": "<|endoftext|>", "extra_special_tokens": NAMED}
    words = transformers.PreTrainedTokenizerFast(tokenizer_object=core, padding_side="left", **tokens)
    words.add_special_tokens({"extra_special_tokens": list(NAMED.values())}, replace_extra_special_tokens=False)
    sizes = {"max_image_size": {"longest_edge": TILE}}
    images = transformers.SmolVLMImageProcessor(size={"longest_edge": 4 * TILE}, **sizes)
    video = transformers.SmolVLMVideoProcessor(size={"longest_edge": TILE}, **sizes)
    chat = (files("trl") / "chat_templates" / "smolvlm.jinja").read_text()
    return transformers.SmolVLMProcessor(images, words, video, image_seq_len=TOKENS, chat_template=chat)


def of(kind: str) -> tuple[Any, dict[str, int]]:
    """The processor for a model of this type of transformers, the mini one for the Qwen family, and the ids of special
    tokens that the model's configuration takes from it.
    """
    if kind == "smolvlm":
        processor = smolvlm()
        return processor, {"image_token_id": processor.image_token_id}
    config = transformers.AutoConfig.from_pretrained(paths.resolve(MINI)).to_dict()
    ids = {name: value for name, value in config.items() if name.endswith("_token_id")}
    return transformers.AutoProcessor.from_pretrained(paths.resolve(MINI)), ids
