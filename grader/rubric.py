"""rubric.yaml, checked. An error names the file, the line, the key, what was found and what is allowed.

YAML is read to plain values that know their lines (:mod:`grader.yaml_lines`), and the values to :class:`Rubric`.
"""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from grader import yaml_lines
from grader.errors import RubricError

if TYPE_CHECKING:
    from grader.audio.mel import MelConfig

Metric = Literal["m_stft", "log2_f0", "fad"]
Percent = Annotated[float, Field(ge=0, le=100)]
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


class Baselines(_Section):
    use: list[Literal["griffin_lim", "hifigan"]] = ["griffin_lim", "hifigan"]
    hifigan_weights: str | None = None

    @field_validator("use")
    @classmethod
    def _each_once(cls, use: list[str]) -> list[str]:
        if len(set(use)) != len(use):
            raise ValueError("names a baseline twice")
        return use


Anchors = Annotated[list[Anchor], Field(min_length=2)]


class WeightedMetric(_Section):
    """A metric's share in the quality points, by a curve of its own."""

    metric: Metric
    weight: Positive
    anchors: Anchors


class Points(_Section):
    quality: Annotated[float, Field(ge=0)]
    report: Annotated[float, Field(ge=0)]
    anchors: Anchors | None = None
    metrics: Annotated[list[WeightedMetric], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_way_to_points(self) -> Self:
        if (self.anchors is None) == (self.metrics is None):
            raise ValueError("needs either anchors (by the ranking metric alone) or metrics (several, with weights)")
        named = [each.metric for each in self.metrics or ()]
        if len(set(named)) < len(named):
            raise ValueError("metrics must name each metric once")
        return self


class Bonus(_Section):
    """Points for what is outside of quality and report; given by lines of decisions.yaml."""

    most: Annotated[float, Field(ge=0)] = 0
    beyond_full: bool = False
    presenter: Annotated[float, Field(ge=0)] = 0
    f0_input: Annotated[float, Field(ge=0)] = 0
    loop: Annotated[float, Field(ge=0)] = 0


class LateStep(_Section):
    days: Positive
    percent: Percent


class Late(_Section):
    grace_minutes: Annotated[float, Field(ge=0)]
    deduct: Literal["factor", "points"]
    steps: list[LateStep]
    after_percent: Percent
    several_hand_ins: Literal["latest", "best"]
    parts: Literal["together", "separately"] = "together"

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


class Tells(_Section):
    waveform_db: float
    audio_db: float
    code_percent: Percent
    file_kb: Positive


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
    baselines: Baselines = Baselines()
    points: Points
    bonus: Bonus = Bonus()
    late: Late
    report: Report
    rerun: Rerun
    tells: Tells
    site: Site

    @model_validator(mode="after")
    def _ranked_by_what_earns_points(self) -> Self:
        named = [each.metric for each in self.points.metrics or ()]
        if named and self.metrics.rank_by not in named:
            raise ValueError(
                f"points.metrics must hold {self.metrics.rank_by}, the ranking metric (metrics.rank_by): "
                "otherwise ranks and points would go by different things"
            )
        return self

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
        return last_instant(self.deadline, self.zone)


def last_instant(text: str, zone: dt.tzinfo) -> dt.datetime:
    """The end of the time that ``text`` names, in ``zone`` where it says no other: 23:59 lasts until 23:59:59.999999.

    A date alone lasts until the end of that day. Raises ValueError where it is no time.
    """
    time = dt.datetime.fromisoformat(text)
    clock = re.search(r"\d\d:?\d\d(:?\d\d)?", re.sub(r"^\d{4}-?\d\d-?\d\d", "", text))
    if clock is None:
        time = time.replace(hour=23, minute=59)
    if clock is None or clock[1] is None:
        time = time.replace(second=59, microsecond=999_999)
    return time if time.tzinfo else time.replace(tzinfo=zone)


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
        read = yaml_lines.read(text, source)
    except yaml_lines.NotYaml as error:
        raise RubricError(
            str(error), help="mend that line; indent with spaces, and quote text that holds ': ' or '#'"
        ) from None
    if not isinstance(read.value, dict):
        raise RubricError(f"{source}: holds no keys", help="start from the rubric.yaml of the repository")
    problems = list(read.problems)
    rubric = None
    try:
        rubric = Rubric.model_validate(read.value)
    except ValidationError as error:
        problems += [yaml_lines.sentence(problem, read, Rubric) for problem in error.errors()]
    if problems or rubric is None:
        raise RubricError("\n".join(problems), help="mend the lines named; rubric.yaml explains each key")
    return rubric
