"""Pictures made small for a list: one at a time, and none that would take the service's memory."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from appliance.web.pictures import MOST_PIXELS, _too_large
from tests.appliance.hospital import ct, hospitals

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.appliance.hospital import Hospital

EDGE = 6400


@pytest.fixture
def erode(tmp_path: Path) -> Iterator[Hospital]:
    with hospitals(tmp_path, "erode") as (opened,):
        opened.accept_all().serve()
        yield opened


def test_pictures_are_made_small_one_at_a_time(erode: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    erode.keep(ct(count=6))
    erode.render()
    client, opened = erode.client("dr.anbu"), Image.open
    at_once, most, second = [0], [0], threading.Event()

    class Watched:
        """An image that stays open until a second one is, or for a moment."""

        def __init__(self, path: Path) -> None:
            self._image = opened(path)

        def __enter__(self) -> Any:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
            if at_once[0] > 1:
                second.set()
            second.wait(0.2)
            return self._image

        def __exit__(self, *_error: object) -> None:
            at_once[0] -= 1
            self._image.close()

    monkeypatch.setattr(Image, "open", Watched)
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda uid: client.get(f"/thumbnails/{uid}/1.jpg"), erode.kept()))
    assert [answer.status_code for answer in answers] == [200] * 6
    assert most[0] == 1


def test_a_picture_that_is_too_large_has_a_drawing_in_its_place(erode: Hospital) -> None:
    (large,) = ct(count=1)
    large.Rows = large.Columns = EDGE
    large.BitsAllocated, large.BitsStored, large.HighBit, large.PixelRepresentation = 8, 8, 7, 0
    large.PixelData = bytes(EDGE * EDGE)
    assert EDGE * EDGE > MOST_PIXELS
    erode.keep([large])
    erode.render()
    client = erode.client("dr.anbu")
    answer = client.get(f"/thumbnails/{large.SOPInstanceUID}/1.jpg")
    assert answer.status_code == 200
    assert answer.content == _too_large()
    with Image.open(io.BytesIO(answer.content)) as drawing:
        assert drawing.format == "JPEG"
    assert client.get(f"/pictures/{large.SOPInstanceUID}/1.png").status_code == 200
