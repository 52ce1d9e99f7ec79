"""A small course with students whose code is really run: a tone for each clip, as loud as its mel.

The honest script computes in integers, so it makes the same bytes on every machine and NumPy.
"""

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np

from grader.course import Course
from grader.rubric import default_path

HONEST = """
import argparse, os, pathlib, wave
import numpy as np

def tone(mel, number):
    step, samples = 200 + 13 * number, 256 * mel.shape[1]
    loud = int(mel.sum()) % 5000 + 9000
    saw = (np.arange(samples, dtype=np.int64) * step) % 2048 - 1024
    return (saw * loud // 1024).astype("<i2")

def write(path, samples):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1); file.setsampwidth(2); file.setframerate(22050)
        file.writeframes(samples.tobytes())

def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--input_mels_dir"); parser.add_argument("--output_dir")
    args = parser.parse_args()
    os.makedirs(args.output_dir, exist_ok=True)
    for path in sorted(pathlib.Path(args.input_mels_dir).glob("*.npy")):
        make(np.load(path), int(path.stem), pathlib.Path(args.output_dir) / (path.stem + ".wav"))

def make(mel, number, path):
    write(path, tone(mel, number))

"""
RUN = 'if __name__ == "__main__":\n    main()\n'
FRAMES = 60


def course(root: Path, **limits: float) -> Course:
    """A course of two clips whose reruns are limited to seconds."""
    text = default_path().read_text(encoding="utf-8")
    values = {"wall_s": 60, "cpu_s": 30, "memory_mb": 1500, "output_mb": 20, "tmp_mb": 50, "shm_mb": 20} | limits
    lines = []
    for line in text.splitlines():
        key = line.split(":")[0].strip()
        if key in values and line.startswith("    "):
            line = f"    {key}: {values[key]}"
        lines.append("  count: 2" if key == "count" else line)
    for folder in ("submissions", "test_mels", "references"):
        (root / folder).mkdir(parents=True)
    (root / "rubric.yaml").write_text("\n".join(lines), encoding="utf-8")
    rng = np.random.default_rng(7)
    for number in (1, 2):
        np.save(root / "test_mels" / f"{number:03d}.npy", rng.random((80, FRAMES), dtype=np.float32))
    return Course(root)


def hand_in(
    course: Course,
    student: str,
    script: str = HONEST,
    requirements: str | bytes | None = "numpy",
    uploaded: str = HONEST,
    files: dict[str, bytes] | None = None,
) -> None:
    """Put a student's clips (made by the script ``uploaded``) and code (``script``) into the course."""
    made = course.root / "made" / student
    made.mkdir(parents=True, exist_ok=True)
    program = made / "inference.py"
    program.write_text(uploaded + RUN)
    arguments = ["--input_mels_dir", str(course.test_mels), "--output_dir", str(made)]
    subprocess.run([sys.executable, str(program), *arguments], check=True)
    with zipfile.ZipFile(course.submissions / f"{student}.zip", "w") as archive:
        for path in sorted(made.glob("*.wav")):
            archive.write(path, f"{student}/{path.name}")
    contents = {"inference.py": (script + RUN).encode(), "README.md": b"Run inference.py.", **(files or {})}
    if requirements is not None:
        contents["requirements.txt"] = requirements.encode() if isinstance(requirements, str) else requirements
    with zipfile.ZipFile(course.submissions / f"{student}_code.zip", "w") as archive:
        for name, data in contents.items():
            archive.writestr(f"{student}_code/{name}", data)
