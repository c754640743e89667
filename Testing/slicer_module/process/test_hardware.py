"""Hardware of the computer, as known while its Pythons are asked."""

from __future__ import annotations

import pytest
from CTSuperResolutionPanel.process.hardware import Hardware
from CTSuperResolutionPanel.process.process import Ended

ANSWER = b'{"event": "result", "machine": {"gpus": [], "notes": []}}\n'


class Asked:
    """A process that says what the test wants."""

    def start(self, command, *, on_output, on_error_output, on_end):
        self.say, self.end = on_output, on_end

    def abandon(self):
        pass


@pytest.fixture
def asked():
    """The processes so far."""
    return []


@pytest.fixture
def hardware(asked):
    return Hardware(make_process=lambda: asked.append(Asked()) or asked[-1])


def test_while_a_python_is_asked_again_what_it_said_holds(hardware, asked, python):
    hardware.inspect(python)
    assert hardware.device("auto") is None
    asked[0].say(ANSWER)
    hardware.inspect(python, again=True)
    assert len(asked) == 2 and hardware.device("auto") == "cpu"


def test_another_python_may_see_another_computer(hardware, asked, python, tmp_path):
    hardware.inspect(python)
    asked[0].say(ANSWER)
    hardware.inspect(tmp_path / "another")
    assert hardware.device("auto") is None


def test_what_a_python_said_before_it_broke_no_longer_holds(hardware, asked, python):
    told = []
    hardware.on_change(lambda: told.append(hardware.machine))
    hardware.inspect(python)
    asked[0].say(ANSWER)
    hardware.inspect(python, again=True)
    asked[1].end(Ended(normal=True, code=1))
    assert hardware.device("auto") is None and told[-1] is None
