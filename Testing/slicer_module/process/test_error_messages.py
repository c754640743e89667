"""The library's errors in the panel's words."""

from __future__ import annotations

import pytest
from CTSuperResolutionPanel.process.error_messages import in_panel_words, why_it_ended
from CTSuperResolutionPanel.process.process import Ended

from CTSuperResolutionLib.errors import (
    KINDS,
    AcceptUnusual,
    Advice,
    JobError,
    LowerPreset,
    LowerScale,
    MoreMemory,
    OtherDevice,
    OtherOption,
    Regrid,
    ReportBug,
    SmallerPrior,
    SmallerRegion,
    Untilt,
)

REGION = SmallerRegion(((3, 9), (0, 40), (12, 52)))
WORDS = [
    (
        [LowerPreset("preview", 640_000_000), REGION],
        "choose preset preview (0.6 GB) or a region of at most 40 × 40 × 6 voxels",
    ),
    ([SmallerRegion(), LowerPreset(), LowerScale()], "choose a region, a lower preset or a lower scale"),
    ([SmallerPrior()], "choose a smaller prior"),
    ([OtherDevice("cpu")], "choose device cpu"),
    ([MoreMemory()], "use a computer with more memory"),
    ([Advice("give a CT"), AcceptUnusual()], "give a CT, or tick “Use it all the same”"),
    ([OtherOption("file", "one with {}: a, b")], "choose one with file: a, b"),
    ([Untilt()], "press Straighten in CT Super-Resolution"),
    ([Regrid()], "let them be brought onto the first one's"),
    ([ReportBug()], "report it with the log"),
]


@pytest.mark.parametrize(("remedies", "words"), WORDS)
def test_ways_out_are_those_of_the_panel(remedies, words):
    assert in_panel_words(JobError("a result of 4 x 5 x 6 voxels", *remedies)) == (
        f"A result of 4 × 5 × 6 voxels; {words}."
    )


def test_every_kind_of_remedy_was_tried():
    assert {type(remedy) for remedies, _ in WORDS for remedy in remedies} == set(KINDS.values())


def test_a_torch_that_was_not_built_for_the_gpu_is_told_as_that():
    """And not as an error inside, which is to be reported."""
    from CTSuperResolutionLib.job.events import describe_error

    fault = RuntimeError("CUDA error: no kernel image is available for execution on the device\nCompile with …")
    sentence = why_it_ended(Ended(normal=True, code=1), describe_error(fault))
    assert sentence.startswith("torch was not built for this GPU; choose the device CPU, or ")
    assert "install another torch" in sentence and sentence.count(".") == 1
    other = why_it_ended(Ended(normal=True, code=1), describe_error(RuntimeError("CUDA error: unspecified")))
    assert "report it with the log" in other
