"""The VLM behind a server of OpenAI's protocol, such as vLLM: p(fake) from the log-probabilities that it returns."""

import base64
import json
import math
import os
import re
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from typing import Any

import numpy as np
from scipy.special import expit

from aligngemini.branches.options import ByOptions, Options
from aligngemini.core import fingerprint
from aligngemini.core.params import Refused, param
from aligngemini.images import aspect, jpeg
from aligngemini.images.failures import Unanswered
from aligngemini.images.header import Unreadable

from .verdict import QUESTION, VERDICTS

KEY = "VLLM_API_KEY"  # the variable in which vLLM itself looks for the key
LIKELIEST = 20  # next tokens that the server names: its default limit
IMPOSSIBLE = 0.01  # a log-probability is at most 0, but for rounding
AT_ONCE = 16  # requests: the server makes batches of them
PAUSES = (1.0, 4.0)  # seconds before a busy or restarting server is asked again
TIMEOUT = 120
ADDRESS = r"https?://([\w.-]+|\[[\da-fA-F:.]+\])(:\d{1,5})?(/[\w./~-]*)?"  # where a token has no place
PROTOCOL = "give the url of a server of OpenAI's protocol, such as vLLM"


class ServedOptions(Options):
    """Options of a VLM behind a server."""

    url: str = param("", "address of the server, such as http://localhost:8000", filled=True)
    model: str = param("", "model as the server names it: that of --served-model-name or --lora-modules", filled=True)


class Served(ByOptions):
    """A VLM that answers requests; a new adapter needs a new name on the server, since scores are kept by that name."""

    kind, slow = "served", True

    def __init__(self, given: ServedOptions, name: str) -> None:
        """Raises Refused where the server does not answer, or lacks the model."""
        super().__init__(given, name)
        if not re.fullmatch(ADDRESS, given.url):
            raise Refused(f"served: url must be http(s)://HOST:PORT, without a password: put a key into {KEY}")
        try:
            cards = {card["id"]: card for card in self._asked("models")["data"]}
        except (LookupError, TypeError, RuntimeError) as error:
            raise Refused(f"served: {given.url} lists no models ({error!r}): {PROTOCOL}") from error
        if given.model not in cards:
            raise Refused(f"served: the server has no model {given.model}: it has {', '.join(cards) or 'none'}")
        self.card = {each: cards[given.model].get(each) for each in ("id", "root", "parent", "max_model_len")}

    def prepare(self, rgb: np.ndarray, source: object = None, crop: int = 0) -> bytes:
        """The whole image as PNG; the server reduces it as its own settings say. Raises Unreadable if too long."""
        if why := aspect.reason(rgb.shape[1], rgb.shape[0]):
            raise Unreadable(why)
        return jpeg.png(rgb)

    def p_fake(self, views: list[bytes]) -> np.ndarray:
        """p(fake) as vlm.verdict.p_fake: the two-way softmax over the words that end the verdicts, float64 [n].

        Raises Unanswered where an answer holds no log-probabilities of them, Refused where there is no answer.
        """
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return np.array(list(pool.map(self._p_fake, views)))

    def identity(self, crop: int = 0) -> dict[str, Any]:
        """The model as the server describes it; its weights cannot be seen from here."""
        return {"branch": self.kind, "card": self.card, "code": fingerprint.of_module(__name__)}

    def _p_fake(self, png: bytes) -> float:
        answer = self._asked("chat/completions", request(self.options.model, png))
        try:
            (token,) = answer["choices"][0]["logprobs"]["content"]
            found = {each["token"]: float(each["logprob"]) for each in token["top_logprobs"]}
            least = min(found.values())  # what is not named is no likelier than that
        except (LookupError, TypeError, ValueError) as error:
            raise Unanswered(f"{self.options.url} answers without log-probabilities: {PROTOCOL}") from error
        if not all(-math.inf < value < IMPOSSIBLE for value in found.values()):
            raise Unanswered(f"{self.options.url} answers {found}, which are no log-probabilities: restart the server")
        real, fake = (found.get(f" {VERDICTS[label].split()[-1]}") for label in (0, 1))
        if real is None and fake is None:
            raise Unanswered(f"neither verdict is among the {len(found)} likeliest words: is it the tuned model?")
        return float(expit((least if fake is None else fake) - (least if real is None else real)))

    def _asked(self, what: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer of the server. Raises Refused if there is none, RuntimeError where it refuses this request."""
        url = f"{self.options.url.rstrip('/').removesuffix('/v1')}/v1/{what}"
        headers = {"Content-Type": "application/json"}
        if key := os.environ.get(KEY, "").strip():
            if not (key.isascii() and key.isprintable()):
                raise Refused(f"served: {KEY} holds what no key holds, such as a line break: set it anew")
            headers["Authorization"] = f"Bearer {key}"
        question = urllib.request.Request(url, json.dumps(body).encode() if body else None, headers)
        for pause in (*PAUSES, None):
            try:
                with urllib.request.urlopen(question, timeout=TIMEOUT) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                if error.code not in (401, 403, 404, 429) and error.code < 500:
                    raise RuntimeError(
                        f"the server answers {error.code}: {error.read(300).decode(errors='replace')}"
                    ) from error
                why = f"it answers {error.code} {error.reason}" + (f", set {KEY}" if error.code in (401, 403) else "")
            except ValueError:
                why = "it is no JSON"
            except (OSError, HTTPException) as error:
                why = str(getattr(error, "reason", error))
            if pause is not None:
                time.sleep(pause)
        raise Refused(f"served: no answer from {url} ({why}): start the server, or correct url and model")


def request(model: str, png: bytes) -> dict[str, Any]:
    """The request that makes the model choose the last word of a verdict on an image."""
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{base64.b64encode(png).decode()}"}}
    opening = VERDICTS[0].rsplit(" ", 1)[0]
    return {
        "model": model,
        "messages": [
            {"role": "user", "content": [image, {"type": "text", "text": QUESTION}]},
            {"role": "assistant", "content": opening},
        ],
        "add_generation_prompt": False,
        "continue_final_message": True,
        "max_tokens": 1,
        "temperature": 0,
        "logprobs": True,
        "top_logprobs": LIKELIEST,
    }
