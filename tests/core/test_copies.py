"""Several devices share the batches of a model: in order, within memory, and all stop when one fails."""

import threading
from itertools import count

import pytest
import torch

from aligngemini.core import devices, progress
from aligngemini.core.copies import Copies


class Model:
    """Doubles numbers, and remembers those that it was given."""

    def __init__(self, failure: tuple[int, BaseException] | None = None):
        self.seen, self.copies, self.failure = [], [], failure
        self.meeting = threading.Barrier(2, timeout=10)

    def on(self, device):
        other = Model(self.failure)
        other.meeting = self.meeting
        self.copies.append(other)
        return other

    def double(self, number):
        self.seen.append(number)
        if number < 2:
            self.meeting.wait()  # two work at the same time, or neither goes on
        if self.failure and number == self.failure[0]:
            raise self.failure[1]
        return 2 * number


def doubled(model, numbers, most=99):
    with Copies(most) as copies:
        yield from copies.in_order(lambda number: copies.use(model, Model.double, number), numbers)


def test_every_device_has_a_copy_and_results_come_in_order(two_devices):
    model = Model()
    assert list(doubled(model, range(50))) == list(range(0, 100, 2))
    (other,) = model.copies
    assert sorted(model.seen + other.seen) == list(range(50)) and model.seen and other.seen


def test_one_batch_more_than_there_are_devices_is_taken_ahead(two_devices):
    taken = []
    results = doubled(Model(), map(lambda number: taken.append(number) or number, count()))
    for done in range(1, 20):
        next(results)
        assert len(taken) <= done + 2
    results.close()


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_an_error_on_one_device_stops_all_and_is_raised(two_devices, error):
    model, results, before = Model((7, error)), [], threading.active_count()
    with pytest.raises(type(error)):
        results.extend(doubled(model, count()))
    assert max(model.seen + model.copies[0].seen) <= 9 and threading.active_count() == before


def test_leaving_early_stops_all(two_devices):
    results, before = doubled(Model(), count()), threading.active_count()
    assert next(results) == 0
    results.close()
    assert threading.active_count() == before


@pytest.mark.parametrize(("there", "most"), [([torch.device("cpu")], 99), ([torch.device("cpu")] * 2, 1)])
def test_one_device_or_one_batch_is_a_plain_loop(monkeypatch, there, most):
    monkeypatch.setattr(devices, "alike", lambda: there)
    with Copies(most) as copies:
        threads = list(copies.in_order(lambda _: copies.use(None, lambda _: threading.current_thread()), range(3)))
    assert threads == [threading.main_thread()] * 3


def test_models_that_give_no_copy_take_turns(two_devices):
    inside, most = [], []

    def work(model):
        inside.append(1)
        most.append(len(inside))
        sum(range(20_000))  # time for another thread
        inside.pop()

    with Copies(99) as copies:
        list(copies.in_order(lambda number: copies.use(f"model {number % 2}", work), range(40)))
    assert set(most) == {1} and len(most) == 40


def test_a_device_without_room_for_a_copy_is_said_and_left_out(two_devices, capsys):
    class Large(Model):
        def on(self, device):
            raise torch.OutOfMemoryError("CUDA out of memory.")

    progress.say_once.cache_clear()
    assert list(doubled(Large(), range(2, 9))) == list(range(4, 18, 2))
    assert "cpu is not used: CUDA out of memory." in capsys.readouterr().err


def test_a_copy_has_the_weights_of_its_model_and_no_state_in_common():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    model[1].weight = model[0].weight.requires_grad_(False)
    scale, model[2].cached = torch.ones(2), torch.ones(2)
    copy = devices.copied({"model": model, "scale": scale}, model, torch.device("cpu"), scale)
    assert copy["model"][0].weight is copy["model"][1].weight and not copy["model"][0].weight.requires_grad
    assert copy["model"][2].cached is model[2].cached, "put where the copy is, which is here"
    assert all(torch.equal(*pair) for pair in zip(model.parameters(), copy["model"].parameters(), strict=True))
    copy["model"].eval()
    assert model.training and copy["scale"].equal(scale)


def test_quantised_weights_and_those_elsewhere_stay_where_they_are():
    model = torch.nn.Linear(2, 2)
    with pytest.raises(ValueError, match="the model stays on cpu"):
        devices.copied(model, model, torch.device("cuda", 1))
    model.is_quantized = True
    with pytest.raises(ValueError, match="the model stays on cpu"):
        devices.copied(model, model, torch.device("cpu"))
