"""A process is ended with all that it started."""

from __future__ import annotations

import subprocess
import sys
import time

from CTSuperResolutionPanel.process.process_tree import descendants, is_running, kill_tree

GRANDPARENT = """
import subprocess, sys, time
code = "import subprocess, sys, time; print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid, flush=True); time.sleep(60)"
child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
print(child.pid, child.stdout.readline().strip(), flush=True)
time.sleep(60)
"""  # noqa: E501


def gone(pid: int) -> bool:
    for _ in range(100):
        if not is_running(pid):
            return True
        time.sleep(0.05)
    return False


def test_children_and_their_children_end_too():
    process = subprocess.Popen([sys.executable, "-c", GRANDPARENT], stdout=subprocess.PIPE, text=True)
    with process:
        pids = [int(pid) for pid in process.stdout.readline().split()]
        assert sorted(descendants(process.pid)) == sorted(pids)
        assert all(map(is_running, pids))
        kill_tree(process.pid)
        assert process.wait(5) != 0
    assert all(map(gone, pids))


def test_a_process_that_is_gone_is_no_error():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    kill_tree(process.pid)
    kill_tree(0)
    kill_tree(-1)
    assert not is_running(process.pid)
