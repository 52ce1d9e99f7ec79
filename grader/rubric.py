"""rubric.yaml, checked. An error names the file, the line, the key, what was found and what is allowed.

YAML is read to nodes (which know their lines), the nodes to plain values, and the values to :class:`Rubric`.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
import zoneinfo
from collections.abc import Iterator
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from grader.errors import RubricError

if TYPE_CHECKING:
    from grader.audio.mel import MelConfig

Metric = Literal["m_stft", "log2_f0", "fad"]
Percent = Annotated[float, Field(ge=0, le=100)]
_KeyPath = tuple[str | int, ...]
Positive = Annotated[float, Field(gt=0)]
PositiveInt = Annotated[int, Field(gt=0)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)


class Clips(_Section):
    count: Annotated[int, Field(ge=2, le=10_000)]
    name: str
    sample_rate_hz: PositiveInt
    channels: Annotated[int, Field(ge=1, le=2)]
    max_seconds: Positive
    length_tolerance_samples: Annotated[int, Field(ge=0)]
    quiet_dbfs: Annotated[float, Field(lt=0)]
    misnamed: Literal["accept", "refuse"]

    @field_validator("name")
    @classmethod
    def _names_one_file_per_number(cls, name: str) -> str:
        try:
            first, second = name.format(number=1), name.format(number=2)
        except (KeyError, IndexError, ValueError):
            raise ValueError("must hold {number}, for instance {number:03d}.wav") from None
        if first == second or "/" in first or not first.endswith(".wav"):
            raise ValueError("must be a .wav file name that holds {number}, for instance {number:03d}.wav")
        return name

    def names(self) -> list[str]:
        """The file names of all clips, in order."""
        return [self.name.format(number=number) for number in range(1, self.count + 1)]


class Archive(_Section):
    max_unpacked_mb: Positive
    max_entries: PositiveInt
    max_ratio: Positive
    wrong_folder: Literal["warn", "refuse"]


class Mel(_Section):
    bands: PositiveInt
    n_fft: PositiveInt
    win_length: PositiveInt
    hop_length: PositiveInt
    fmin_hz: Annotated[float, Field(ge=0)]
    fmax_hz: Positive


class MStft(_Section):
    engine: Literal["auraloss"]


class Log2F0(_Section):
    engine: Literal["builtin", "crepe"]
    capacity: Literal["tiny", "small", "medium", "large", "full"]
    weights_file: str | None
    min_confidence: Annotated[float, Field(ge=0, lt=1)]
    min_hz: Positive
    max_hz: Positive


class Fad(_Section):
    engine: Literal["builtin", "frechet_audio_distance"]
    embedding: Literal["vggish", "logmel"]
    fallback: Literal["logmel", "none"]
    weights_file: str | None


class Metrics(_Section):
    rank_by: Metric
    m_stft: MStft
    log2_f0: Log2F0
    fad: Fad


class Anchor(_Section):
    """A point of the quality curve: ``score`` earns ``percent`` of the quality points."""

    score: float | str
    percent: Percent

    @field_validator("score")
    @classmethod
    def _number_or_baseline(cls, score: float | str) -> float | str:
        if isinstance(score, str) and not re.fullmatch(r"[a-z_]+( \* [0-9.]+)?", score):
            raise ValueError("must be a number, a baseline's name, or 'baseline * factor'")
        return score


class Points(_Section):
    quality: Annotated[float, Field(ge=0)]
    report: Annotated[float, Field(ge=0)]
    anchors: Annotated[list[Anchor], Field(min_length=2)]


class LateStep(_Section):
    days: Positive
    percent: Percent


class Late(_Section):
    grace_minutes: Annotated[float, Field(ge=0)]
    deduct: Literal["factor", "points"]
    steps: list[LateStep]
    after_percent: Percent
    several_hand_ins: Literal["latest", "best"]

    @model_validator(mode="after")
    def _never_cheaper_to_be_later(self) -> Self:
        days = [step.days for step in self.steps]
        costs = [step.percent for step in self.steps] + [self.after_percent]
        if days != sorted(set(days)):
            raise ValueError("steps must be in order of days, each once")
        if costs != sorted(costs):
            raise ValueError("a later step must not cost less than an earlier one")
        return self


class Report(_Section):
    required: bool
    aspect_ratio: Annotated[str, Field(pattern=r"^\d+:\d+$")]
    suggested_pages: PositiveInt

    @property
    def ratio(self) -> float:
        width, height = self.aspect_ratio.split(":")
        return int(width) / int(height)


class Limits(_Section):
    wall_s: Positive
    cpu_s: Positive
    memory_mb: Positive
    processes: PositiveInt
    output_mb: Positive
    tmp_mb: Positive
    shm_mb: Positive
    log_kb: Positive
    log_mb: Positive


class Same(_Section):
    snr_db: float
    m_stft: Annotated[float, Field(ge=0)]
    log2_f0: Annotated[float, Field(ge=0)]


class Rerun(_Section):
    sample: PositiveInt
    seed: int
    command: str
    python: Annotated[str, Field(pattern=r"^3\.\d+$")]
    wheels_only: bool
    constraints: list[str]
    nearest_version: bool
    exclude_newer: str | None
    allowed_urls: list[str]
    repair_percent: Percent
    probe: bool
    limits: Limits
    same: Same

    @field_validator("command")
    @classmethod
    def _takes_both_folders(cls, command: str) -> str:
        if "{mels}" not in command or "{out}" not in command:
            raise ValueError("must hold {mels} and {out}")
        return command


class SiteAudio(_Section):
    format: Literal["mp3", "opus"]
    kbps: Annotated[float, Field(ge=8, le=160)]


class StudentPage(_Section):
    audio_clips: Annotated[int, Field(ge=0)]
    max_mb: Positive
    references: bool
    baselines: bool


class Site(_Section):
    language: str
    audio: SiteAudio
    student_page: StudentPage
    public_references: bool
    opt_in: dict[str, str]

    @field_validator("language")
    @classmethod
    def _has_strings(cls, language: str) -> str:
        from grader.site import strings

        if language not in strings.languages():
            raise ValueError(f"must be {' or '.join(strings.languages())}")
        return language

    @field_validator("opt_in")
    @classmethod
    def _names_by_upper_case_id(cls, names: dict[str, str]) -> dict[str, str]:
        return {student.upper(): name for student, name in names.items()}


class Rubric(_Section):
    """The whole homework. Field names are the keys of rubric.yaml; see there for what each means."""

    title: str
    course: str
    timezone: str
    deadline: str
    semester_weight_percent: Percent
    student_id: str
    clips: Clips
    archive: Archive
    mel: Mel
    metrics: Metrics
    points: Points
    late: Late
    report: Report
    rerun: Rerun
    site: Site

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("must be an IANA time zone, for instance Asia/Taipei") from None
        return name

    @field_validator("deadline")
    @classmethod
    def _a_time(cls, text: str) -> str:
        try:
            dt.datetime.fromisoformat(text)
        except ValueError:
            raise ValueError("must be a time such as 2023-11-01 23:59") from None
        return text

    @field_validator("student_id")
    @classmethod
    def _a_regular_expression(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"must be a regular expression ({error})") from None
        return pattern

    @property
    def zone(self) -> dt.tzinfo:
        return zoneinfo.ZoneInfo(self.timezone)

    def mel_config(self) -> MelConfig:
        """How the test mels are made, as :mod:`grader.audio.mel` takes it."""
        from grader.audio.mel import MelConfig

        return MelConfig(sample_rate_hz=self.clips.sample_rate_hz, **self.mel.model_dump())

    @cached_property
    def deadline_at(self) -> dt.datetime:
        """The last instant on time, with its time zone: 23:59 without seconds lasts until 23:59:59.999999."""
        time = dt.datetime.fromisoformat(self.deadline)
        if self.deadline.count(":") == 1:
            time = time.replace(second=59, microsecond=999_999)
        return time if time.tzinfo else time.replace(tzinfo=self.zone)


def default_path() -> Path:
    """The rubric that ships with the package: the homework as the handout states it."""
    packaged = Path(str(resources.files("grader"))) / "rubric.yaml"
    return packaged if packaged.exists() else packaged.parent.parent / "rubric.yaml"


def load(path: Path | None = None) -> Rubric:
    """Read and check a rubric file (the packaged one by default).

    Raises :class:`RubricError` with every problem found, each as ``file:line: key: what is wrong``.
    """
    path = path or default_path()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RubricError(
            f"{path}: cannot be read: {error}", help="rubric.yaml must be a readable UTF-8 file"
        ) from None
    return parse(text, str(path))


def parse(text: str, source: str = "rubric.yaml") -> Rubric:
    """Check the text of a rubric; ``source`` names it in errors."""
    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise RubricError(
            f"{source}{line}: not valid YAML: {getattr(error, 'problem', None) or error}",
            help="mend that line; indent with spaces, and quote text that holds ': ' or '#'",
        ) from None
    problems: list[str] = []
    lines: dict[_KeyPath, int] = {}
    value = _plain(root, (), lines, problems, source) if root is not None else None
    if not isinstance(value, dict):
        raise RubricError(f"{source}: holds no keys", help="start from the rubric.yaml of the repository")
    rubric = None
    try:
        rubric = Rubric.model_validate(value)
    except ValidationError as error:
        problems += [_sentence(problem, lines, source) for problem in error.errors()]
    if problems or rubric is None:
        raise RubricError("\n".join(problems), help="mend the lines named; rubric.yaml explains each key")
    return rubric


_INTEGER = re.compile(r"[-+]?[0-9]+\Z")


def _plain(
    node: yaml.Node,
    path: _KeyPath,
    lines: dict[_KeyPath, int],
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


def _dotted(path: _KeyPath) -> str:
    return ".".join(str(part) for part in path)


def _sentence(problem: Any, lines: dict[_KeyPath, int], source: str) -> str:
    """One pydantic problem as ``file:line: key: what is wrong``."""
    path = tuple(part for part in problem["loc"] if part not in ("float", "str", "int"))
    line = next(lines[path[:length]] for length in range(len(path), -1, -1) if path[:length] in lines)
    kind, key, context = problem["type"], _dotted(path), problem.get("ctx", {})
    if kind == "extra_forbidden":
        allowed = list(_fields_at(path[:-1]))
        near = difflib.get_close_matches(str(path[-1]), allowed, n=1)
        hint = f"did you mean {near[0]}?" if near else f"allowed here: {', '.join(allowed)}"
        return f"{source}:{line}: {key}: unknown key; {hint}"
    if kind == "missing":
        return f"{source}:{line}: {key}: missing"
    if kind == "literal_error":
        reason = f"must be {context['expected']}"
    elif kind == "value_error":
        reason = str(context["error"])
    else:
        message = str(problem["msg"])
        reason = message.replace("Input should be", "must be").replace("Value should have", "must have")
    return f"{source}:{line}: {key}: {reason}; found {problem['input']!r}"


def _fields_at(path: _KeyPath) -> Iterator[str]:
    """The keys allowed in the section at ``path``."""
    model: Any = Rubric
    for part in path:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation
        inner = [a for a in getattr(annotation, "__args__", ()) if isinstance(a, type) and issubclass(a, BaseModel)]
        model = inner[0] if inner else annotation
    yield from model.model_fields
