"""The small tokenizer and processor: byte-level BPE in the Qwen format, its words learned from the world's own
captions.
"""

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2_5_VLProcessor, Qwen2VLImageProcessor, Qwen2VLVideoProcessor

from aligngemini.world import captions, world
from aligngemini.world.scenes import FAMILIES

SPECIAL = ["endoftext", "im_start", "im_end", "vision_start", "vision_end", "image_pad", "video_pad"]
# Everyday words of verdicts and questions, so that they are single tokens; the base only ever repeats them.
HINT = "Judge parts, counts, places, light and shadows. Ignore blur, noise and compression."
SPARE = (
    "This image is authentic fake real generated edited plausible implausible. Is this image real or fake? "
    f"{HINT} "
    "The fine grain texture looks like a camera decoder smooth. Say: "
)
CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% if m['content'] is string %}{{ m['content'] }}{% else %}"
    "{% for c in m['content'] %}{% if c['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ c['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def corpus(count: int = 600, seed: int = 0) -> list[str]:
    """Texts the tokenizer learns its words from: captions, questions, spare words."""
    drawn = [world.scene(seed, "tokenizer", i, bool(i % 2))[0] for i in range(count)]
    texts = [captions.caption(scene) for scene in drawn]
    texts += [captions.remark(scene, family) for scene in drawn for family in FAMILIES]
    return [*texts, *captions.QUESTIONS.values(), *[SPARE] * 4, "user\nassistant\nsystem\n" * 4]


def tokenizer(vocabulary: int = 768):
    """A `PreTrainedTokenizerFast` of at most `vocabulary` tokens; every byte is known, so any text can be read."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    options = {"special_tokens": [f"<|{name}|>" for name in SPECIAL], "show_progress": False}
    options |= {"vocab_size": vocabulary, "initial_alphabet": pre_tokenizers.ByteLevel.alphabet()}
    core.train_from_iterator(corpus(), trainers.BpeTrainer(**options))
    tokens = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "padding_side": "left"}
    tokens |= {"extra_special_tokens": {"image_token": "<|image_pad|>", "video_token": "<|video_pad|>"}}
    return PreTrainedTokenizerFast(tokenizer_object=core, **tokens)


def processor(size: int = 112):
    """The Qwen2.5-VL processor at the small world's size: pictures of size x size become (size / 28)² tokens."""
    pixels = {"shortest_edge": 28 * 28, "longest_edge": size * size}
    words = tokenizer()
    images = Qwen2VLImageProcessor(size=pixels, patch_size=14, merge_size=2, temporal_patch_size=2)
    return Qwen2_5_VLProcessor(images, words, Qwen2VLVideoProcessor(size=pixels), chat_template=CHAT)
