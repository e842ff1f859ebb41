"""Tiny vision-language models of other families, with random weights, in the layout of the hub.

Each is its real architecture with its real processor and, where TRL ships it, its real chat template, over the words of
the mini tokenizer.
"""

from importlib.resources import files
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForImageTextToText, PreTrainedTokenizerFast

from aligngemini.mini import bases

TILE = 56  # px; the side of what a vision tower with tiles of its own sees at once, 4 tokens
TEXT = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "head_dim": 16}
TEXT |= {"num_key_value_heads": 1, "max_position_embeddings": 1024, "initializer_range": 0.2, "pad_token_id": 0}
EYES = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
EYES |= {"image_size": TILE, "patch_size": 14, "initializer_range": 0.2}
SQUARES = {"depth": 3, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 32}
SQUARES |= {"patch_size": 16, "num_position_embeddings": 64, "initializer_range": 0.2}
QWEN = {"image_token": "<|image_pad|>", "video_token": "<|video_pad|>"}
ENDS = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
INTERNVL = """{% for m in messages %}<|im_start|>{{ m['role'] }}
{% for c in m['content'] %}{% if c['type'] == 'image' %}<IMG_CONTEXT>
{% else %}{{ c['text'] }}{% endif %}{% endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def words(ends: dict[str, str], named: dict[str, str]) -> PreTrainedTokenizerFast:
    """The mini tokenizer with special tokens of another family."""
    core = Tokenizer.from_file(str(bases.FOLDERS["vlm"] / "tokenizer.json"))
    made = PreTrainedTokenizerFast(tokenizer_object=core, padding_side="left", extra_special_tokens=named, **ends)
    made.add_special_tokens({"extra_special_tokens": list(named.values())}, replace_extra_special_tokens=False)
    return made


def template(name: str) -> str:
    return (files("trl") / "chat_templates" / f"{name}.jinja").read_text()


def qwen3_vl(chat: str = "qwen3_vl"):
    from transformers import Qwen2VLImageProcessor, Qwen3VLConfig, Qwen3VLProcessor, Qwen3VLVideoProcessor

    tools = words(ENDS, QWEN)
    text = TEXT | {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [4, 2, 2]}}
    vision = SQUARES | {"deepstack_visual_indexes": [0, 1]}
    images = Qwen2VLImageProcessor(patch_size=16, size={"shortest_edge": 32 * 32, "longest_edge": 112 * 112})
    processor = Qwen3VLProcessor(images, tools, Qwen3VLVideoProcessor(), chat_template=template(chat))
    return Qwen3VLConfig(text_config=text | size(tools), vision_config=vision, **ids(tools)), processor


def qwen3_5():
    """Every other layer is recurrent; its template lets it think before it answers unless it is told not to."""
    from transformers import Qwen3_5Config

    _, processor = qwen3_vl("qwen3_5_think")
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1], "partial_rotary_factor": 0.5}
    text = TEXT | {"layer_types": ["linear_attention", "full_attention"], "rope_parameters": rope}
    text |= {"linear_num_key_heads": 2, "linear_num_value_heads": 2}
    text |= {"linear_key_head_dim": 8, "linear_value_head_dim": 8} | size(processor.tokenizer)
    return Qwen3_5Config(text_config=text, vision_config=SQUARES, **ids(processor.tokenizer)), processor


def smolvlm(tile: int = TILE, tokens: int = 4):
    """Images in tiles of so many pixels a side, and so many tokens."""
    from transformers import SmolVLMConfig, SmolVLMImageProcessor, SmolVLMProcessor, SmolVLMVideoProcessor

    named = {"image_token": "<image>", "fake_image_token": "<fake_token_around_image>"}
    named |= {"global_image_token": "<global-img>", "end_of_utterance_token": "<end_of_utterance>"}
    tools = words({"eos_token": "<end_of_utterance>", "pad_token": "<|endoftext|>"}, named)
    images = SmolVLMImageProcessor(size={"longest_edge": 4 * tile}, max_image_size={"longest_edge": tile})
    video = SmolVLMVideoProcessor(size={"longest_edge": tile}, max_image_size={"longest_edge": tile})
    processor = SmolVLMProcessor(images, tools, video, image_seq_len=tokens, chat_template=template("smolvlm"))
    text = TEXT | {"model_type": "llama"} | size(tools)
    image = tools.convert_tokens_to_ids("<image>")
    return SmolVLMConfig(text_config=text, vision_config=EYES, image_token_id=image, scale_factor=2), processor


def internvl():
    from transformers import GotOcr2ImageProcessor, InternVLConfig, InternVLProcessor, InternVLVideoProcessor

    named = {"context_image_token": "<IMG_CONTEXT>", "start_image_token": "<img>", "end_image_token": "</img>"}
    tools = words(ENDS, named | {"video_token": "<video>"})
    images = GotOcr2ImageProcessor(size={"height": TILE, "width": TILE}, max_patches=12, crop_to_patches=True)
    options = {"image_seq_length": 4, "chat_template": INTERNVL}
    processor = InternVLProcessor(images, tools, InternVLVideoProcessor(), **options)
    parts = {"text_config": TEXT | {"model_type": "qwen2"} | size(tools), "vision_config": EYES}
    return InternVLConfig(**parts, image_token_id=processor.image_token_id, image_seq_length=4), processor


def gemma3():
    """Its vocabulary head shares the weights of its words; its images have one size."""
    from transformers import Gemma3Config, Gemma3ImageProcessor, Gemma3Processor

    named = {"image_token": "<image_soft_token>", "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>"}
    ends = {"bos_token": "<bos>", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    tools = words(ends, named)
    images = Gemma3ImageProcessor(size={"height": TILE, "width": TILE})
    processor = Gemma3Processor(images, tools, chat_template=template("gemma3"), image_seq_length=4)
    text = TEXT | {"sliding_window": 64, "layer_types": ["sliding_attention", "full_attention"]} | size(tools)
    vision = EYES | {"model_type": "siglip_vision_model", "vision_use_head": False}
    tokens = {f"{name}_index": tools.convert_tokens_to_ids(token) for name, token in named.items()}
    return Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=4, **tokens), processor


def size(tools) -> dict[str, int]:
    return {"vocab_size": len(tools), "eos_token_id": tools.eos_token_id, "bos_token_id": 0}


def ids(tools) -> dict[str, int]:
    names = ("image_pad", "video_pad", "vision_start", "vision_end")
    found = [tools.convert_tokens_to_ids(f"<|{name}|>") for name in names]
    named = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")
    return dict(zip(named, found, strict=True))


FAMILIES = {make.__name__: make for make in (qwen3_vl, qwen3_5, smolvlm, internvl, gemma3)}


def write(name: str, folder: Path) -> Path:
    """The model of a family in `folder`: config.json, weights, tokenizer, processor, chat template."""
    config, processor = FAMILIES[name]()
    torch.manual_seed(0)
    model = AutoModelForImageTextToText.from_config(config)
    for weight in model.parameters():
        if weight.ndim > 1 and not weight.any():  # Gemma's projector starts at zero, blind to every image
            torch.nn.init.normal_(weight, std=0.2)
    model.generation_config.pad_token_id = config.get_text_config().pad_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
