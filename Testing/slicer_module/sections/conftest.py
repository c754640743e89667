"""A computer that jobs can run on, and what the panel says of them."""

from __future__ import annotations

import pytest

GB = 10**9


@pytest.fixture(autouse=True)
def jobs_can_run(installed):
    """What jobs need is there in every test of this folder."""


@pytest.fixture
def machine(monkeypatch, child, panel):
    """A computer with 8 GB free, whatever this one has, and no GPU."""
    child("does well")
    monkeypatch.setattr("CTSuperResolutionPanel.process.hardware.free_memory", lambda: 8 * GB)
    panel.logic.hardware.machine = {"gpus": [], "notes": []}


@pytest.fixture
def shown(panel):
    """shown(): the estimate and Apply, after the panel has looked again."""

    def look():
        panel.panel.refresh()
        return panel.ui.estimateLabel.text.replace("\N{NO-BREAK SPACE}", " "), panel.ui.applyButton.enabled

    return look
