"""The table that a terminal shows."""

from __future__ import annotations

from CTSuperResolutionLib.bench.table import format_report, format_table

SHARES = ("forward_bandwidth", "forward_arithmetic", "backward_bandwidth", "backward_arithmetic")


def row(backend="torch", op="rasterize", geometry="parallel", threads=1, forward=10.0, backward=20.0, **changes):
    return {
        "op": op,
        "backend": backend,
        "geometry": geometry,
        "gaussians": 50_000,
        "size": 256,
        "threads": threads,
        "forward_ms": forward,
        "backward_ms": backward,
        "peak_mb": 12.345,
        **dict.fromkeys(SHARES, 0.5),
        **changes,
    }


def cells(text):
    """Cells of each line, by the columns of the heading."""
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in text.splitlines()]


def speed(text, line):
    start = text.splitlines()[0].index("× torch")
    return text.splitlines()[line][start : start + len("× torch")].strip()


def test_columns_are_aligned_and_numbers_readable():
    text = format_table([row(), row("native", forward=0.5, backward=1.25, forward_bandwidth=0.0312)])
    heading, first, second = text.splitlines()
    assert heading.index("backend") == first.index("torch") == second.index("native")
    end = heading.index("forward ms") + len("forward ms")
    assert first[:end].endswith(" 10.00") and second[:end].endswith(" 0.500")
    assert "3.1 % / 50 %" in second and "12.3" in second


def test_speed_is_relative_to_the_reference_with_as_many_threads():
    rows = [
        row(threads=1, forward=30, backward=30),
        row(threads=2, forward=20, backward=20),
        row("native", threads=1, forward=3, backward=3),
        row("native", threads=2, forward=1, backward=1),
    ]
    text = format_table(rows)
    assert [speed(text, line) for line in (1, 2, 3, 4)] == ["1.0", "1.0", "10.0", "20.0"]


def test_a_gpu_s_kernels_are_compared_with_the_reference_there():
    text = format_table([row(threads=None), row("cuda", threads=None, forward=0.1, backward=0.2)])
    assert speed(text, 2) == "100.0"


def test_no_reference_no_speed():
    rows = [row("native"), row("torch", geometry="cone")]
    text = format_table(rows)
    assert speed(text, 1) == "" and speed(text, 2) == "1.0"


def test_what_is_not_known_is_left_blank():
    text = format_table([row(op="voxelize", geometry=None, peak_mb=None, **dict.fromkeys(SHARES))])
    assert cells(text)[1] == ["voxelize", "50000", "256³", "torch", "1", "10.00", "20.00", "1.0"]


def test_the_report_says_where_and_what_was_left_out():
    report = {
        "device": {"name": "Some Processor"},
        "versions": {"torch": "2.0", "CUDA": None},
        "rates": [{"device": "cpu", "threads": 2, "bandwidth_gb_s": 40.4, "gflop_s": 200.0}],
        "rows": [],
        "runs": [],
        "left_out": ["voxelize with torch: too large."],
    }
    text = format_report(report)
    for part in ("Some Processor, torch 2.0", "2 threads: 40 GB/s, 200 GFLOP/s", "Nothing was measured", "too large."):
        assert part in text
    assert "CUDA" not in text
