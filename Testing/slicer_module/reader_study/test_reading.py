"""Reading a study by keys: what is saved, where it goes on, and what is given back."""

from __future__ import annotations

import pytest
from CTReaderStudyPanel.reading.sitting import State


def test_every_kind_of_task_is_answered_by_keys_alone(reader, make_study, entries):
    folder = make_study("grade", "prefer", "like", "mark")
    reader.open(folder)
    kinds = []
    while reader.sitting.state is not State.DONE:
        kinds.append(reader.trial.task.kind)
        reader.answer()
    saved = entries(folder)
    assert len(saved) == len(kinds) == reader.sitting.reading.total >= 10
    assert set(kinds) == {"grading", "forced_choice", "reference_rating", "marking"}
    for kind, entry in zip(kinds, saved, strict=True):
        if kind == "grading":
            assert sorted(entry["answer"]["grades"].values()) == [3, 4, 5]
        elif kind == "reference_rating":
            assert entry["answer"] == {"grades": {"As the reference?": 3}}
        elif kind == "forced_choice":
            assert entry["answer"] == {"choice": "left", "strength": 2}
        else:
            assert entry["answer"] == {"marks": []}
    assert "Thank you" in reader.ui.noticeLabel.text
