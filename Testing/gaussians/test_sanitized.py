"""The CPU library built with sanitizers, and driven without Python: no stray access, no undefined step, no race."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
KERNELS = HERE.parents[1] / "CUDAKernels"


@pytest.mark.slow
@pytest.mark.skipif(
    sys.platform != "linux" or not all(map(shutil.which, ("cmake", "g++"))), reason="needs g++ and CMake on Linux"
)
@pytest.mark.parametrize("sanitizers", ["address,undefined", "thread"])
def test_random_scenes(tmp_path, sanitizers):
    build = [
        "-DCMAKE_CXX_COMPILER=g++",
        "-DCMAKE_BUILD_TYPE=Debug",
        "-DCMAKE_CXX_FLAGS=-O1",
        f"-DCTSR_SANITIZE={sanitizers}",
    ]
    subprocess.run(["cmake", "-S", KERNELS, "-B", tmp_path, *build], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", tmp_path, "--parallel", "2"], check=True, stdout=subprocess.DEVNULL)
    program = tmp_path / "drive"
    options = ["-std=c++17", "-O1", "-g", f"-fsanitize={sanitizers}", f"-I{KERNELS}", f"-L{tmp_path}"]
    link = ["-lctsr_native", f"-Wl,-rpath,{tmp_path}"]
    subprocess.run(["g++", *options, HERE / "sanitized_kernels.cpp", "-o", program, *link], check=True)
    halting = {name: "halt_on_error=1" for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS")}
    done = subprocess.run([program], env={**os.environ, **halting}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rendered 120 scenes" in done.stdout
