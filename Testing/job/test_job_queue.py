"""Lines that ask for jobs, and which job comes next."""

from __future__ import annotations

import json
import os
import threading

import pytest

from CTSuperResolutionLib.job.cancellation import Cancellation
from CTSuperResolutionLib.job.input_lines import LONGEST_LINE, input_lines
from CTSuperResolutionLib.job.job import Job
from CTSuperResolutionLib.job.job_queue import BadLine, CancelRequest, JobQueue, JobRequest, parse_line
from CTSuperResolutionLib.job.method import Method

JOB = Job(Method("2", "preview", {"views": 6}), "scan.nrrd", "out", roi=((0, 4), (1, 5), (2, 6)))


def asked(id: str, is_try: bool = False) -> JobRequest:
    return JobRequest(id, JOB, is_try)


def test_a_request_is_what_its_line_says() -> None:
    for request in (asked("7"), asked("größer", True), CancelRequest("7")):
        line = request.to_line()
        assert line.count("\n") == 1 and parse_line(line.encode()) == request


@pytest.mark.parametrize(
    ("line", "id"),
    [
        (b"\xff\xfe", None),
        (b"[]", None),
        (b"{}", None),
        (b'{"cancel": 7}', None),
        (b'{"id": 7, "job": {}}', None),
        (b'{"id": "", "job": {}}', None),
        (b'{"id": "a"}', "a"),
        (b'{"id": "a", "job": {"input": "x", "output": "y"}, "trial": true}', "a"),
        (b'{"id": "a", "job": {"input": "x", "output": "y"}, "try": 1}', "a"),
        (b'{"id": "a", "job": {"input": "x", "output": "y", "scale": "77"}}', "a"),
        (b'{"id": "a", "job": {"input": "x", "output": "y", "settings": {"views": [[[6]]]}}}', "a"),
        (b"[" * 100_000, None),
    ],
)
def test_a_line_that_asks_for_nothing_that_can_be_done_says_so(line: bytes, id: str | None) -> None:
    with pytest.raises(BadLine) as caught:
        parse_line(line)
    assert caught.value.id == id and str(caught.value).endswith(".")


@pytest.fixture
def queue() -> JobQueue:
    dropped: list[tuple[str, str]] = []
    made = JobQueue(lambda request, reason: dropped.append((request.id, reason)))
    made.dropped = dropped
    return made


def ids(queue: JobQueue) -> list[str]:
    return [taken.id for taken in iter(lambda: queue.take(0, Cancellation()), None)]


def test_jobs_come_in_their_order_and_the_newest_try_after_them(queue: JobQueue) -> None:
    for request in (asked("try 1", True), asked("run 1"), asked("try 2", True), asked("run 2"), asked("try 3", True)):
        queue.add(request)
    assert ids(queue) == ["run 1", "run 2", "try 3"]
    assert [id for id, _ in queue.dropped] == ["try 1", "try 2"]


def test_a_newer_try_stops_the_one_under_way_and_no_run(queue: JobQueue) -> None:
    for first, stops in ((asked("run"), False), (asked("try", True), True)):
        queue.add(first)
        cancellation = Cancellation()
        assert queue.take(0, cancellation) is first
        queue.add(asked("run 2"))
        assert not cancellation.requested
        queue.add(asked("newer", True))
        assert cancellation.requested is stops
        queue.finish()
        assert ids(queue)[-1] == "newer"


def test_a_job_is_cancelled_by_its_id_wherever_it_is(queue: JobQueue) -> None:
    for id in ("1", "2", "3"):
        queue.add(asked(id))
    cancellation = Cancellation()
    queue.take(0, cancellation)
    queue.cancel("2")
    queue.cancel("unheard of")
    assert [id for id, _ in queue.dropped] == ["2"] and not cancellation.requested
    queue.cancel("1")
    assert cancellation.requested
    assert ids(queue) == ["3"]


def test_who_waits_for_a_job_hears_of_the_end(queue: JobQueue) -> None:
    timer = threading.Timer(0.05, queue.end)
    timer.start()
    assert queue.take(60, Cancellation()) is None and queue.ended


def test_lines_come_whole_from_any_pieces() -> None:
    read, write = os.pipe()
    long = b"x" * (LONGEST_LINE + 5000)
    pieces = [b'{"a"', b": 1}\r\n\n  \n", b"second\nthi", b"rd\n", long, b"rest of it\nlast"]

    def put() -> None:
        for piece in pieces:
            os.write(write, piece)
        os.close(write)

    writer = threading.Thread(target=put)
    writer.start()
    found = list(input_lines(read))
    writer.join()
    os.close(read)
    assert json.loads(found[0]) == {"a": 1}
    assert found[1:3] == [b"second", b"third"] and found[4:] == [b"last"]
    assert set(found[3]) == {ord("x")} and len(found[3]) == LONGEST_LINE
