"""Lines go to a standard stream, or are lost without an error."""

import asyncio
import os
import select
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from core import metrics
from core.output import Output


def lost() -> float:
    return metrics.REGISTRY.get_sample_value("tickets_log_lines_lost_total") or 0


@pytest.fixture
def full() -> Iterator[TextIO]:
    with Path("/dev/full").open("w") as stream:
        yield stream


def test_a_line_that_cannot_be_written_is_counted(full: TextIO) -> None:
    output, before = Output(full), lost()
    output.write_line("lost")
    output.write_line("lost as well")
    assert lost() == before + 2


def test_lines_arrive_at_once_and_in_order(tmp_path: Path) -> None:
    with (tmp_path / "stream").open("w", encoding="ascii") as stream:
        output = Output(stream)
        output.write_line("first")
        output.write_line("s\xe9cond")
        assert (tmp_path / "stream").read_text() == "first\ns\\xe9cond\n"


def test_a_line_that_was_torn_does_not_swallow_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, write = tmp_path / "stream", os.write
    with path.open("w") as stream:
        output, before = Output(stream), lost()

        def write_three_bytes_until_full(descriptor: int, data: bytes) -> int:
            if path.stat().st_size >= 3:
                raise OSError(28, "No space left on device")
            return write(descriptor, data[:3])

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", write_three_bytes_until_full)
            output.write_line("torn in the middle")
        output.write_line("whole")
        output.write_line("and one more")
    assert path.read_text().splitlines() == ["tor", "whole", "and one more"]
    assert lost() == before + 1


def recorded_writes(patch: pytest.MonkeyPatch) -> list[bytes]:
    """Return the list to which each write to a stream will be added."""
    writes, write = list[bytes](), os.write

    def record(descriptor: int, data: bytes) -> int:
        writes.append(data)
        return write(descriptor, data)

    patch.setattr(os, "write", record)
    return writes


async def test_lines_of_one_turn_of_the_event_loop_are_written_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "stream").open("w") as stream, monkeypatch.context() as patch:
        output, writes = Output(stream), recorded_writes(patch)
        output.write_line_soon("first")
        output.write_line_soon("second")
        assert writes == []
        await asyncio.sleep(0)
        assert writes == [b"first\nsecond\n"]


async def test_a_line_that_cannot_wait_takes_the_earlier_ones_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "stream").open("w") as stream, monkeypatch.context() as patch:
        output, writes = Output(stream), recorded_writes(patch)
        output.write_line_soon("first")
        output.write_line("second")
        assert writes == [b"first\nsecond\n"]
        await asyncio.sleep(0)
        assert len(writes) == 1


async def test_lines_are_not_collected_beyond_what_a_pipe_takes_in_one_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "stream").open("w") as stream, monkeypatch.context() as patch:
        output, writes = Output(stream), recorded_writes(patch)
        for _ in range(100):
            output.write_line_soon("x" * 99)
        await asyncio.sleep(0)
        assert sum(map(len, writes)) == 10_000
        assert max(map(len, writes)) <= select.PIPE_BUF
        assert len(writes) < 5


async def test_each_line_that_was_collected_and_lost_is_counted(full: TextIO) -> None:
    output, before = Output(full), lost()
    for _ in range(3):
        output.write_line_soon("lost")
    await asyncio.sleep(0)
    assert lost() == before + 3


async def test_lines_that_were_written_before_a_failure_are_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, write = tmp_path / "stream", os.write
    with path.open("w") as stream:
        output, before = Output(stream), lost()

        def write_until_full(descriptor: int, data: bytes) -> int:
            if path.stat().st_size:
                raise OSError(28, "No space left on device")
            return write(descriptor, data[:8])

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", write_until_full)
            for line in ("first", "second", "third"):
                output.write_line_soon(line)
            await asyncio.sleep(0)
        output.write_line("fourth")
    assert path.read_text().splitlines() == ["first", "se", "fourth"]
    assert lost() == before + 2


def test_a_line_without_an_event_loop_is_written_at_once(tmp_path: Path) -> None:
    with (tmp_path / "stream").open("w") as stream:
        Output(stream).write_line_soon("only")
        assert (tmp_path / "stream").read_text() == "only\n"


def test_a_process_without_the_stream_writes_nothing() -> None:
    before = lost()
    Output(None).write_line("nowhere")
    assert lost() == before
