"""How much memory is free, by the standard library alone."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest

from CTSuperResolutionLib.job import memory

VM_STAT = """Mach Virtual Memory Statistics: (page size of 16384 bytes)
Pages free:                               10000.
Pages active:                            399000.
Pages inactive:                          20000.
Pages speculative:                         1234.
"""


def test_as_psutil_counts_it(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "CGROUP", tmp_path)  # no container
    counted = psutil.virtual_memory()
    assert memory.free_memory() == pytest.approx(counted.available, abs=0.2 * counted.total)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux has control groups")
@pytest.mark.parametrize(("limit", "expected"), [("3000000", 3_000_000 - 2_000_000 + 500_000), ("1000", 0)])
def test_within_a_containers_limit(monkeypatch, tmp_path, limit, expected):
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text("2000000\n")
    (tmp_path / "memory.stat").write_text("anon 1500000\ninactive_file 500000\n")
    assert memory.free_memory() == expected
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.free_memory() > 10_000_000


def test_on_a_mac(monkeypatch):
    monkeypatch.setattr(memory.sys, "platform", "darwin")
    monkeypatch.setattr(subprocess, "run", lambda *arguments, **options: SimpleNamespace(stdout=VM_STAT))
    assert memory.free_memory() == 16384 * 30_000


def test_where_nothing_can_be_found_it_is_not_known(monkeypatch):
    monkeypatch.setattr(memory.sys, "platform", "darwin")
    monkeypatch.setattr(subprocess, "run", lambda *arguments, **options: SimpleNamespace(stdout="something else"))
    assert memory.free_memory() is None
