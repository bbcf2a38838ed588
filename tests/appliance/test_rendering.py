"""Drawing: what is pending is drawn, whatever happens to the processes that draw."""

from __future__ import annotations

import errno
import io
import os
from functools import partial
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from sqlalchemy import select, update

from appliance.index.models import DONE, FAILED, Instance, Rendition
from appliance.index.queries import pending_renditions
from appliance.pictures.processes import Processes
from appliance.pictures.rendering import Rendering
from tests.appliance.deadly import DeadlyProcesses, LateProcesses
from tests.appliance.hospital import ct
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom.dataset import FileDataset

    from appliance.keeping.archive import Archive


def keep(archive: Archive, *datasets: FileDataset) -> None:
    for dataset in datasets:
        target = io.BytesIO()
        dataset.save_as(target)
        with archive.arriving() as arriving:
            arriving.write(target.getvalue())
            archive.file([arriving.finish()], issuer="erode", source="CT1")


def states(archive: Archive) -> dict[str, tuple[str, str]]:
    with archive.index.session() as session:
        rows = session.execute(select(Instance.sop_instance_uid, Instance.state, Instance.reason))
        return {uid: (state, reason) for uid, state, reason in rows}


def idle(archive: Archive) -> bool:
    with archive.index.session() as session:
        return pending_renditions(session) == 0


def test_who_ends_a_process_costs_nobody_else_a_picture(archive: Archive, capsys: pytest.CaptureFixture[str]) -> None:
    datasets = ct(count=8)
    keep(archive, *datasets)
    deadly, faulty = (dataset.SOPInstanceUID for dataset in datasets[2:4])
    processes = partial(DeadlyProcesses, archive.path_of(deadly), archive.path_of(faulty))
    rendering = Rendering(archive, processes)
    rendering.start()
    try:
        until(lambda: idle(archive))
        keep(archive, *ct(count=1))
        until(lambda: idle(archive))
    finally:
        rendering.stop()
    found = states(archive)
    assert found.pop(deadly) == (FAILED, "given up: the process that drew it died")
    assert found.pop(faulty) == (FAILED, "a fault of the program (FaultInLibrary)")
    assert "axis 3 is out of bounds for 2" in capsys.readouterr().out
    assert set(found.values()) == {(DONE, "")}
    assert len(list(archive.shared.rglob("*.png"))) == 7


def test_processes_that_cannot_be_made_for_a_while_are_made_again(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a machine without descriptors: an idle appliance's processes end, and for the next there is no pipe."""
    monkeypatch.setattr("appliance.pictures.rendering.IDLE_S", 0.05)
    monkeypatch.setattr("appliance.pictures.rendering.PAUSE_S", 0.05)
    made: list[object] = []

    def processes() -> Processes:
        made.append(None)
        if 2 <= len(made) <= 4:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return Processes(1)

    rendering = Rendering(archive, processes)
    rendering.start()
    try:
        until(lambda: len(made) >= 2)
        keep(archive, *ct(count=2))
        until(lambda: idle(archive))
        until(lambda: len(made) >= 5)
        keep(archive, *ct(count=1))
        until(lambda: idle(archive))
    finally:
        rendering.stop()
    assert set(states(archive).values()) == {(DONE, "")}
    assert len(list(archive.shared.rglob("*.png"))) == 3


def test_what_takes_longer_than_a_pause_is_not_drawn_again_meanwhile(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.pictures.rendering.PAUSE_S", 0.05)
    datasets = ct(count=2)
    keep(archive, *datasets)
    slow, other = (archive.path_of(dataset.SOPInstanceUID) for dataset in datasets)
    begun: list[str] = []
    gate = tmp_path / "gate"
    rendering = Rendering(archive, partial(LateProcesses, gate, slow, begun))
    rendering.start()
    try:
        until(lambda: begun.count(other.name) >= 3)
        assert begun.count(slow.name) == 1
        gate.touch()
        until(lambda: idle(archive))
    finally:
        gate.touch()
        rendering.stop()
    assert set(states(archive).values()) == {(DONE, "")}


@pytest.mark.parametrize("identifier", ["../../x", "a/b", "..", "con", "x" * 900, "", "\u202etxt", "a\x00b"])
@pytest.mark.filterwarnings("ignore:.*:UserWarning")
def test_pictures_stay_in_the_shared_folder(archive: Archive, tmp_path: Path, identifier: str) -> None:
    (dataset,) = ct(count=1)
    dataset.PatientID, dataset.StudyDescription, dataset.SeriesDescription = identifier, identifier, identifier
    dataset.PatientName = identifier
    before = {path for path in tmp_path.parent.rglob("*") if archive.folder not in path.parents}
    keep(archive, dataset)
    drawn(archive)
    assert states(archive)[dataset.SOPInstanceUID] == (DONE, "")
    assert {path for path in tmp_path.parent.rglob("*") if archive.folder not in path.parents} == before
    (picture,) = archive.shared.rglob("*.png")
    assert len(picture.relative_to(archive.shared).parts) == 4
    with Image.open(picture) as opened:
        assert opened.size == (128, 128)


#: Found by trying: the first 32 bits of their digests are the same.
NAMESAKES = ("1.2.840.113619.2.55.3.111048", "1.2.840.113619.2.55.3.127821")


def test_an_image_does_not_take_the_place_of_one_whose_uid_looks_like_its_own(archive: Archive) -> None:
    datasets = ct(count=2)
    for dataset, uid in zip(datasets, NAMESAKES, strict=True):
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid
        dataset.InstanceNumber = 1
    keep(archive, *datasets)
    drawn(archive)
    assert len(list(archive.shared.rglob("*.png"))) == 2


def test_a_picture_that_was_drawn_under_another_name_goes(archive: Archive) -> None:
    """As an older version named it."""
    keep(archive, *ct(count=1))
    drawn(archive)
    (picture,) = archive.shared.rglob("*.png")
    older = picture.rename(picture.with_name("0001 0123abcd.png"))
    with archive.index.writing() as session:
        path = older.relative_to(archive.shared).as_posix()
        session.execute(update(Rendition).values(path=path))
        session.execute(update(Instance).values(state="pending"))
    drawn(archive)
    assert list(archive.shared.rglob("*.png")) == [picture]


def drawn(archive: Archive) -> None:
    rendering = Rendering(archive)
    rendering.start()
    try:
        until(lambda: idle(archive))
    finally:
        rendering.stop()


def test_what_an_older_version_could_not_draw_is_tried_once_more(archive: Archive) -> None:
    (dataset,) = ct(count=1)
    keep(archive, dataset)
    for before, after in (("0.0.1", DONE), (None, FAILED)):
        with archive.index.writing() as session:
            session.execute(update(Instance).values(state=FAILED, reason="it is too new"))
        if before:
            (archive.folder / "rendered-by").write_text(before)
        rendering = Rendering(archive)
        rendering.start()
        until(lambda: idle(archive))
        rendering.stop()
        assert states(archive)[dataset.SOPInstanceUID][0] == after


def test_half_written_pictures_of_a_killed_process_are_removed(archive: Archive) -> None:
    (dataset,) = ct(count=1)
    keep(archive, dataset)
    rendering = Rendering(archive)
    rendering.start()
    until(lambda: idle(archive))
    rendering.stop()
    (picture,) = archive.shared.rglob("*.png")
    (picture.parent / ".99-0001.png.part").write_bytes(b"\x89PNG")
    with archive.index.writing() as session:
        session.get_one(Instance, 1).state = "pending"
    again = Rendering(archive)
    again.start()
    until(lambda: idle(archive))
    again.stop()
    assert [path for path in archive.shared.rglob("*") if path.is_file()] == [picture]
