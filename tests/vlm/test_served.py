"""A VLM behind a server: the same scores as in this process, and a sentence for a server that does not answer."""

import base64
import io
import json
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch
from PIL import Image

from aligngemini import detector
from aligngemini.branches.registry import KINDS
from aligngemini.core.params import Refused
from aligngemini.fusion.rules import Fusion
from aligngemini.vlm import served, verdict

TOLERANCE = 1e-5  # of p(fake), where both compute in float32: batches differ


ONE_AT_A_TIME = threading.Lock()


class Answers(BaseHTTPRequestHandler):
    """vLLM's answers, computed by the mini VLM: models, and the next word after an unfinished answer."""

    def do_GET(self):
        card = {"object": "model", "created": 1, "owned_by": "vllm", "root": "/adapters/a", "parent": "base"}
        self.say(200, {"object": "list", "data": [card | {"id": "tuned", "max_model_len": 4096, "permission": []}]})

    def do_POST(self):
        self.body = body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((body, self.headers["Authorization"]))
        if self.server.fails:
            return self.say(*self.server.fails.pop())
        user, assistant = body["messages"]
        image, question = user["content"]
        assert body["continue_final_message"] and not body["add_generation_prompt"] and body["max_tokens"] == 1
        data = image["image_url"]["url"].removeprefix("data:image/png;base64,")
        given = base64.b64decode(data), question["text"], assistant["content"]
        top = self.server.likeliest(*given)[: body["top_logprobs"]]
        first = top[0] | {"top_logprobs": top}
        message = {"role": "assistant", "content": first["token"], "tool_calls": []}
        choice = {"index": 0, "message": message, "logprobs": {"content": [first]}, "finish_reason": "length"}
        self.say(200, {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "choices": [choice]})

    def say(self, code, body):
        self.send_response(code)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *given):
        """Say nothing."""


def likeliest(vlm, png, question, opening):
    """The 20 words that the model finds likeliest after `opening`, as vLLM lists them."""
    image = Image.open(io.BytesIO(png))
    with torch.inference_mode(), ONE_AT_A_TIME:
        batch = verdict.continued(verdict.prompts(vlm, [image], question), verdict.tokens(vlm, opening))
        found = vlm.model(**batch).logits[0, -1].float().log_softmax(-1).topk(20)
    words = [vlm.processor.tokenizer.decode([token]) for token in found.indices.tolist()]
    pairs = zip(words, found.values.tolist(), strict=True)
    return [{"token": word, "logprob": value, "bytes": list(word.encode())} for word, value in pairs]


@pytest.fixture
def server(monkeypatch):
    """A server on this machine that calls all fake; `seen`: its requests, `fails`: (code, body) of answers to come."""
    monkeypatch.setattr(served, "PAUSES", (0.0,))
    made = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    made.seen, made.fails, made.url = [], [], f"http://127.0.0.1:{made.server_address[1]}"
    made.likeliest = lambda *given: [{"token": " fake", "logprob": -0.5}, {"token": " a", "logprob": -4.5}]
    threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def branch(server, tmp_path):
    kind = KINDS["served"].load()
    return kind.load(kind.fit(f"url={server.url} model=tuned", None, tmp_path), tmp_path, "served")


@pytest.mark.slow
def test_a_served_vlm_gives_the_scores_of_the_same_vlm_in_this_process(branch, server):
    tuned = detector.Detector.load().branches[0]
    server.likeliest = partial(likeliest, tuned.vlm)
    files = sorted((detector.SHIPPED / "known").glob("*.jpg"))[:4]
    images = [np.asarray(Image.open(path).convert("RGB")) for path in files]
    here, there = (each.p_fake([each.prepare(rgb) for rgb in images]) for each in (tuned, branch))
    assert there.dtype == np.float64 and there == pytest.approx(here, abs=TOLERANCE) and np.ptp(here) > 0.9


def test_a_word_that_is_not_among_the_likeliest_is_taken_for_as_likely_as_the_last_of_them(branch, server):
    assert branch.p_fake([b""]) == pytest.approx(1 / (1 + np.exp(-4.0)))
    server.likeliest = lambda *given: [{"token": " cat", "logprob": -0.5}]
    with pytest.raises(RuntimeError, match="neither verdict"):
        branch.p_fake([b""])


def test_the_key_comes_from_the_environment_and_a_busy_server_is_asked_again(branch, server, monkeypatch):
    monkeypatch.setenv(served.KEY, "a-key")
    server.fails = [(503, {})]
    assert len(branch.p_fake([branch.prepare(np.zeros((9, 9, 3), np.uint8))])) == 1
    assert [key for _, key in server.seen] == ["Bearer a-key"] * 2 and "a-key" not in json.dumps(branch.identity())


def test_what_the_server_says_of_one_picture_concerns_that_picture(branch, server):
    server.fails = [(400, {"error": {"message": "cannot identify image", "code": 400}})]
    with pytest.raises(RuntimeError, match="400: .*cannot identify"):
        branch.p_fake([b""])


def logprob(value):
    """An answer in which the log-probability of a verdict is `value`."""
    top = [{"token": " fake", "logprob": value}, {"token": " real", "logprob": -0.5}]
    return {"choices": [{"logprobs": {"content": [top[0] | {"top_logprobs": top}]}}]}


SILENT = [{}, [], {"choices": [{"logprobs": None}]}, {"choices": []}, logprob(None), {"choices": [{}]}]
WRONG = [*SILENT, logprob(float("nan")), logprob(float("-inf")), logprob(float("inf")), logprob(3.0), logprob("no")]


@pytest.mark.parametrize("body", WRONG)
def test_an_image_without_log_probabilities_has_a_reason_and_the_others_their_scores(branch, server, body):
    dark = np.zeros((9, 9, 3), np.uint8)
    bad = branch.prepare(dark)
    say = Answers.say

    class Sometimes(Answers):
        def say(self, code, answer):
            of_bad = self.command == "POST" and base64.b64encode(bad).decode() in json.dumps(self.body)
            say(self, code, body if of_bad else answer)

    server.RequestHandlerClass = Sometimes
    table = detector.Detector([branch], Fusion("or", (0.5,)))([dark, *(dark + shade for shade in (50, 99, 200, 250))])
    reason, *others = table["reason"]
    assert "log-probabilities" in reason and np.isnan(table["served_score"][0]) and others == [""] * 4
    assert table["served_score"][1:].between(0.9, 1).all() and table["verdict"][1:].eq(1).all()


@pytest.mark.parametrize("body", SILENT[:3])
def test_a_server_that_never_gives_log_probabilities_is_refused_with_what_is_needed(branch, server, body):
    server.fails = [(200, body)] * 20
    images = [np.full((9, 9, 3), shade, np.uint8) for shade in range(5)]
    with pytest.raises(Refused, match="without log-probabilities: give the url of a server of OpenAI's protocol"):
        detector.Detector([branch], Fusion("or", (0.5,)))(images)


@pytest.mark.parametrize("body", [{}, [], {"data": None}, {"data": [{}]}])
def test_a_server_that_lists_no_models_is_refused(server, tmp_path, monkeypatch, body):
    monkeypatch.setattr(Answers, "do_GET", lambda self: self.say(200, body))
    with pytest.raises(Refused, match="lists no models"):
        served.Served.fit(f"url={server.url} model=tuned", None, tmp_path)


def test_a_page_in_place_of_json_is_refused(branch, monkeypatch):
    monkeypatch.setattr(json, "load", lambda file: json.loads("<html>"))
    with pytest.raises(Refused, match="no answer from .*it is no JSON"):
        branch.p_fake([b""])


def test_a_key_that_no_header_can_hold_is_refused_and_not_printed(branch, monkeypatch):
    monkeypatch.setenv(served.KEY, "one\ntwo")
    with pytest.raises(Refused, match="VLLM_API_KEY holds what no key holds") as refusal:
        branch.p_fake([b""])
    assert "two" not in str(refusal.value)


@pytest.mark.parametrize(
    "text, words",
    [
        ("url=ftp://here model=tuned", "url must be http"),
        ("url=http://me:secret@127.0.0.1:1 model=tuned", "holds a password .*VLLM_API_KEY"),
        ("url='http://127.0.0.1:1/?auth=secret' model=tuned", "holds a password .*VLLM_API_KEY"),
        ("url='http://127.0.0.1:1/?x=secret' model=tuned", "without a password"),
        ("url=http://127.0.0.1:port model=tuned", "url must be http"),
        ("url=http://127.0.0.1:1 model=tuned", "no answer from http://127.0.0.1:1/v1/models .*: start the server"),
    ],
)
def test_an_address_that_does_not_serve_is_refused(text, words, tmp_path, monkeypatch):
    monkeypatch.setattr(served, "PAUSES", ())
    with pytest.raises(Refused, match=words):
        served.Served.fit(text, None, tmp_path)


def test_a_model_that_the_server_does_not_have_is_refused_with_those_it_has(server, tmp_path):
    with pytest.raises(Refused, match="no model other: it has tuned"):
        served.Served.fit(f"url={server.url}/v1 model=other", None, tmp_path)
