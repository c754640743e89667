"""The self test where jobs cannot run, or do not work: it says so, and leaves nothing behind."""

from __future__ import annotations

import unittest

import pytest

pytestmark = pytest.mark.usefixtures("installed")


@pytest.fixture
def run_self_test(panel):
    """Runs the module's self test, as the Self Tests module does."""
    import CTSuperResolution

    def run() -> None:
        test = CTSuperResolution.CTSuperResolutionTest()
        test.messageDelay = 1
        test.runTest()

    return run


def test_on_a_build_machine_without_torch_it_is_skipped_with_a_reason(run_self_test, monkeypatch):
    from CTSuperResolutionPanel import install

    monkeypatch.setattr(install, "ensure", lambda parent=None: None)
    with pytest.raises(unittest.SkipTest, match="lacks what jobs need"):
        run_self_test()


def test_a_job_that_fails_is_told_by_its_own_message(run_self_test, child, panel):
    child("runs out of memory")
    with pytest.raises(AssertionError) as failed:
        run_self_test()
    assert panel.logic.runner.message and panel.logic.runner.message in str(failed.value)


def test_run_twice_it_leaves_no_listener(run_self_test, child, panel):
    child("does well")
    before = len(panel.logic.runner._on_loaded)
    run_self_test()
    assert len(panel.logic.runner._on_loaded) == before
