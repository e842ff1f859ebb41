"""The mouse on a drawing: lines are dragged, points are clicked. Without ipyevents the drawing is only looked at."""

from collections.abc import Callable

import ipywidgets

try:
    from ipyevents import Event
except ImportError:
    Event = None

WAIT, STILL = 60, 3  # ms between two places of a moving mouse; px that it may move in a click


class Pointer:
    """Watches a widget that shows a drawing `width` units wide. In its units, `grasp(x, y)` says which line is there,
    None for none, `drag(line, x, y)` pulls it, and `click(x, y)` is what a click does.
    """

    def __init__(self, drawing: ipywidgets.Widget, width: float, grasp: Callable, drag: Callable, click: Callable):
        self.width, self.grasp, self.drag, self.click = width, grasp, drag, click
        self.start, self.line, self.moved = (0.0, 0.0), None, False
        if Event:
            watched = {"watched_events": ["mousedown", "mousemove", "click"], "prevent_default_action": True}
            self.event = Event(source=drawing, throttle_or_debounce="throttle", wait=WAIT, **watched)
            self.event.on_dom_event(self.take)

    def take(self, event: dict) -> None:
        """Act on an event of the browser."""
        scale = self.width / (event["boundingRectWidth"] or 1)
        at = (event["relativeX"] * scale, event["relativeY"] * scale)
        if event["type"] == "mousedown":
            self.start, self.line, self.moved = at, self.grasp(*at), False
        elif event["type"] == "mousemove" and event["buttons"] & 1 and self.line is not None:
            self.moved |= max(abs(at[0] - self.start[0]), abs(at[1] - self.start[1])) > STILL
            if self.moved:
                self.drag(self.line, *at)
        elif event["type"] == "click" and not self.moved:
            self.click(*at)
