"""Lines go to a standard stream, or are lost without an error."""

import os
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


def test_a_process_without_the_stream_writes_nothing() -> None:
    before = lost()
    Output(None).write_line("nowhere")
    assert lost() == before
