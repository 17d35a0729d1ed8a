"""Replica links: one recorded from a Samba 4.22 controller, and whatever else may come."""

import base64
import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.formats import reps_from
from checks.questions import Unreadable

RECORDED = (
    "AQAAAAAAAAAMAQAAAAAAAI6YFSEDAAAAjpgVIQMAAAAAAAAA0AAAADwAAABkAAAAERERERERERERERERERERERERERERERERERERERERERERER"
    "ERERERERERERERERERERERERERERERERERERERERERERERERERERERERERERERERERAAAAAHMQAAAAAAAAAAAAAAAAAABzEAAAAAAAAETZc/Vy"
    "hjtBiz2dJQqzmnrghrpt+pfWQZryjRotXtIQAAAAAAAAAAAAAAAAAAAAADgAAABmNTczZDk0NC04NjcyLTQxM2ItOGIzZC05ZDI1MGFiMzlhN2"
    "EuX21zZGNzLnNjaG9vbC50ZXN0AA=="
)


def _made(version: int = 2, size: int = 216, failures: int = 0, success: int = 13_400_000_000) -> bytes:
    head = struct.pack("<IIIIQQI", version, 0, size, failures, success, success, 0)
    return head.ljust(216, b"\0")


def test_recorded() -> None:
    link = reps_from.parse(base64.b64decode(RECORDED))
    assert (link.source, link.failures, link.result) == ("f573d944-8672-413b-8b3d-9d250ab39a7a", 0, 0)
    assert link.success == link.attempt


def test_never_and_failures() -> None:
    assert reps_from.parse(_made(success=0)).success is None
    assert reps_from.parse(_made(version=1, failures=7)).failures == 7


@pytest.mark.parametrize(
    "raw", [b"", _made()[:100], _made(version=3), _made(size=4000), _made(size=8), _made(success=1 << 60)]
)
def test_what_is_no_link(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        reps_from.parse(raw)


@given(st.binary(max_size=300))
def test_rubbish_is_unreadable_and_never_more(raw: bytes) -> None:
    with contextlib.suppress(Unreadable):
        reps_from.parse(raw)
