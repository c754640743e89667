"""What a child's errors become in the process that started it."""

from __future__ import annotations

import pytest

from CTSuperResolutionLib.cli.wording import error_sentence
from CTSuperResolutionLib.evaluation.child import run_task
from CTSuperResolutionLib.evaluation.task import EvaluationTask
from CTSuperResolutionLib.job.events import describe_error
from CTSuperResolutionLib.job.method import Method


@pytest.fixture
def fail(tmp_path, monkeypatch):
    """How a child that meets an error is described: the error comes from a module that stands in for scikit-image."""
    (tmp_path / "skimage.py").write_text("import os\nexec(os.environ['RAISE'])\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def run(statement):
        monkeypatch.setenv("RAISE", statement)
        task = EvaluationTask("a-2", "cubic", Method(), 1.0, False, "one")
        with (tmp_path / "skimage.py").open("rb") as case, pytest.raises(Exception) as caught:
            run_task(task, case, lambda: None)
        return describe_error(caught.value, error_sentence), str(caught.value)

    return run


def test_an_internal_error_is_wrapped_once(fail):
    found, text = fail("raise IndexError('list index out of range')")
    assert "Traceback" in text  # for --debug
    assert found["kind"] == "internal" and found["exit_code"] == 1
    assert found["message"] == (
        "internal error: RuntimeError: cubic on a-2: IndexError: list index out of range; run it again with --debug "
        "and report what that prints."
    )


def test_a_missing_package_is_one_to_install(fail):
    found, _ = fail("import no_such_package")
    assert found["kind"] == "install"
    assert found["message"] == (
        "A Python package that is needed is missing or broken (cubic on a-2: No module named 'no_such_package'); "
        "install CTSuperResolution again."
    )


def test_a_child_that_is_stopped_is_no_internal_error(fail):
    found, _ = fail("from CTSuperResolutionLib.errors import Cancelled; raise Cancelled('stopped by SIGTERM')")
    assert found == {"kind": "cancelled", "message": "cubic on a-2: stopped by SIGTERM", "exit_code": 3}
