"""YAML as plain values that know their lines, and what a pydantic model finds wrong with them as sentences.

For files that people edit: rubric.yaml and decisions.yaml. Dates stay text, and only true and false are booleans.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import BaseModel

KeyPath = tuple[str | int, ...]


class NotYaml(ValueError):
    """``str(error)`` says the file, the line and what is wrong."""


@dataclass(frozen=True)
class Read:
    """A file's value with the line of each key path. column: where the outermost list or mapping begins.

    problems: keys that stand twice, as sentences.
    """

    source: str
    value: Any
    lines: Mapping[KeyPath, int]
    problems: tuple[str, ...]
    column: int = 0
    flow: bool = False

    def line(self, path: KeyPath) -> int:
        """The line of the nearest key on the way to ``path``."""
        return next(
            (self.lines[path[:length]] for length in range(len(path), -1, -1) if path[:length] in self.lines), 1
        )


def read(text: str, source: str) -> Read:
    """Read the text of a file; ``source`` names it in errors. Raises :class:`NotYaml`."""
    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise NotYaml(f"{source}{line}: not valid YAML: {getattr(error, 'problem', None) or error}") from None
    if root is None:
        return Read(source, None, {}, ())
    problems: list[str] = []
    lines: dict[KeyPath, int] = {}
    try:
        value = _plain(root, (), lines, problems, source)
    except RecursionError:
        raise NotYaml(f"{source}: holds itself, by an alias (*), or is nested too deeply") from None
    return Read(source, value, lines, tuple(problems), root.start_mark.column, bool(getattr(root, "flow_style", False)))


_INTEGER = re.compile(r"[-+]?[0-9]+\Z")


def _plain(
    node: yaml.Node,
    path: KeyPath,
    lines: dict[KeyPath, int],
    problems: list[str],
    source: str,
) -> Any:
    """The plain value of a YAML node. Dates stay text, and only true/false are booleans (YAML 1.2)."""
    lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key in mapping:
                problems.append(f"{source}:{key_node.start_mark.line + 1}: {_dotted((*path, key))}: stands twice")
            mapping[key] = _plain(value_node, (*path, key), lines, problems, source)
            lines[(*path, key)] = key_node.start_mark.line + 1
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*path, index), lines, problems, source) for index, item in enumerate(node.value)]
    text = str(node.value)
    tag = node.tag.rsplit(":", 1)[-1]
    if tag == "null":
        return None
    if tag == "bool" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if tag == "int" and _INTEGER.match(text):
        return int(text)
    if tag == "float":
        return float(text.replace("_", ""))
    return text


def _dotted(path: KeyPath) -> str:
    return ".".join(str(part) for part in path)


def sentence(problem: Any, read: Read, model: type[BaseModel], at: KeyPath = ()) -> str:
    """One pydantic problem of ``model``, which stands at the key path ``at``, as ``file:line: key: what is wrong``."""
    inner = tuple(part for part in problem["loc"] if part not in ("float", "str", "int"))
    path = (*at, *inner)
    place = f"{read.source}:{read.line(path)}: {_dotted(path)}".removesuffix(": ")
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "extra_forbidden":
        allowed = list(_fields_at(model, inner[:-1]))
        near = difflib.get_close_matches(str(inner[-1]), allowed, n=1)
        hint = f"did you mean {near[0]}?" if near else f"allowed here: {', '.join(allowed)}"
        return f"{place}: unknown key; {hint}"
    if kind == "missing":
        return f"{place}: missing"
    if kind == "literal_error":
        reason = f"must be {context['expected']}"
    elif kind == "value_error":
        reason = str(context["error"])
    else:
        message = str(problem["msg"])
        reason = message.replace("Input should be", "must be").replace("Value should have", "must have")
    return f"{place}: {reason}; found {problem['input']!r}"


def _fields_at(model: type[BaseModel], path: KeyPath) -> Iterator[str]:
    """The keys allowed in the section at ``path``."""
    for part in path:
        if isinstance(part, int):
            continue
        annotation: Any = model.model_fields[part].annotation
        model = next(_models(annotation))
    yield from (field.alias or name for name, field in model.model_fields.items())


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models in an annotation such as ``list[Anchor] | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _models(inner)
