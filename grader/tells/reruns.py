"""What reruns showed that a TA should look at: clips that the code does not make, or only hands back."""

from __future__ import annotations

from collections.abc import Mapping

from grader.rerun.evidence import Evidence
from grader.rerun.evidence import Kind as Verdict
from grader.tells.records import Kind, Piece, Tell

_INNOCENT = {
    Verdict.COPIED: "A folder of outputs left in the code looks the same where inference does not need it.",
    Verdict.DIFFERENT: "Other weights than those used for the upload, another seed or a later fix give this too.",
    Verdict.NONDETERMINISTIC: "A model that draws noise gives this; a fixed seed would settle it.",
    Verdict.REPRODUCED: "A vocoder trained on something else may answer strange mels badly.",
}


def tells(reruns: Mapping[str, Evidence]) -> list[Tell]:
    """A tell for each rerun that did not come to what was uploaded, or whose program does not seem to use the mels."""
    order = list(_INNOCENT)
    found = [each for each in reruns.values() if each.kind in _INNOCENT and (_odd(each) or each.kind in order[:3])]
    return [_tell(each) for each in sorted(found, key=lambda each: (order.index(each.kind), each.student_id))]


def _odd(one: Evidence) -> list[str]:
    """What the probe on unseen mels found."""
    return [finding.what_text() for finding in one.findings if finding.code == "rerun-probe"]


def _tell(one: Evidence) -> Tell:
    worst = sorted(one.clips, key=lambda clip: (-clip.tier.rank, clip.name))
    pieces = tuple(
        Piece(clip.name, {"tier": str(clip.tier), "SNR dB": "–" if clip.snr_db is None else f"{clip.snr_db:.1f}"})
        for clip in worst
        if clip.tier.rank > 0
    )
    said = " ".join([f"{one.kind}: {one.sentence}.", *_odd(one)])
    return Tell(Kind.RERUN, (one.student_id,), said, _INNOCENT[one.kind], pieces)
