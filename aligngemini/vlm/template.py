"""What the chat template of a model makes of a question about an image, and of an answer to it."""

from os.path import commonprefix
from typing import Any

MARK = "!"


def asked(question: str) -> list[dict[str, Any]]:
    """The conversation that asks about one image."""
    return [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}]


def options(processor) -> dict[str, bool]:
    """Options of the template: a model that can think before it answers does not."""
    return {"enable_thinking": False} if "enable_thinking" in text(processor) else {}


def text(processor) -> str:
    """The chat template itself, "" where there is none."""
    own = processor.chat_template or processor.tokenizer.chat_template or ""
    return own if isinstance(own, str) else own.get("default", "")


def rendered(processor, question: str) -> tuple[str, str]:
    """The prompt for a question about one image, and what stands between it and an answer, mostly nothing.

    They are parted as TRL parts them for training: a prompt is what the question alone and the question with an answer
    begin with in common, so that a template which writes "Assistant:" and then " yes" gives the space to the answer.
    """
    answer = {"role": "assistant", "content": [{"type": "text", "text": MARK}]}
    begun = {"tokenize": False, **options(processor)}
    alone = processor.apply_chat_template(asked(question), add_generation_prompt=True, **begun)
    whole = processor.apply_chat_template([*asked(question), answer], **begun)
    prompt = commonprefix([alone, whole])
    return prompt, whole[len(prompt) : whole.index(MARK, len(prompt))]


def check(processor) -> None:
    """Raise ValueError unless the processor shows images and puts a question about one by a chat template."""
    if not hasattr(processor, "image_processor"):
        raise ValueError("it has no image processor (preprocessor_config.json or processor_config.json)")
    if not text(processor):
        raise ValueError("it has no chat template, by which it is asked; choose an instruction-tuned model (-Instruct)")
    if processor.image_token not in rendered(processor, "?")[0]:  # a broken template says so only when it is used
        raise ValueError(f"its chat template has no {processor.image_token} where the image goes")
