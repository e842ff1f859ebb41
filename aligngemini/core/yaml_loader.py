"""YAML as recipes and the command line use it: decimal numbers alone, each key once, no aliases."""

import re
from typing import Any

import yaml

INT, FLOAT, DATE = (f"tag:yaml.org,2002:{name}" for name in ("int", "float", "timestamp"))


class Loader(yaml.SafeLoader):
    """YAML in which 010, 0x10, 1_000, 1:30 and dates stay texts; YAML itself would read 8, 16, 1000 and 90.

    1e-3 is a number, as in Python. Aliases are refused, because a few of them can stand for billions of values.
    """

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Refuse an alias; all else is as in YAML."""
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.constructor.ConstructorError(None, None, "write out what the alias (*name) stands for", mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse keys that are no text, and a key that stands twice."""
        seen: dict[str, int] = {}
        for key, _ in node.value:
            problem = (
                "" if key.tag == "tag:yaml.org,2002:str" else f"the key {key.value!r:.80} is no text: put it in quotes"
            )
            if not problem and key.value in seen:
                problem = f"the key {key.value!r:.80} stands in line {seen[key.value]} already: keep one of them"
            if problem:
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen[key.value] = key.start_mark.line + 1
        return super().construct_mapping(node, deep)


Loader.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in rules if tag not in (INT, FLOAT, DATE)]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver(INT, re.compile(r"[-+]?(0|[1-9][0-9]*)$"), list("-+0123456789"))
Loader.add_implicit_resolver(
    FLOAT,
    re.compile(
        r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?$|[-+]?\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$"
    ),
    list("-+.0123456789"),
)
