"""The archive: what is filed together is there together, and what is not filed leaves nothing."""

from __future__ import annotations

import io
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from appliance.errors import ArchiveUnusable, Unreadable
from appliance.index.models import Instance, Patient, Study
from appliance.index.queries import instances_of_patient, series_of, studies, studies_at
from appliance.keeping.archive import Archive, open_archive
from appliance.referral.contents import find_patient
from tests.appliance.hospital import ct
from tests.waiting import PATIENCE_S, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydicom.dataset import FileDataset
    from sqlalchemy.orm import Session

    from appliance.keeping.filing import Filed
    from appliance.keeping.spool import Arrival


def arrival(archive: Archive, dataset: FileDataset) -> Arrival:
    target = io.BytesIO()
    dataset.save_as(target)
    with archive.arriving() as arriving:
        arriving.write(target.getvalue())
        return arriving.finish()


def count(archive: Archive, table: type = Instance) -> int:
    with archive.index.session() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def files(archive: Archive) -> list[Path]:
    folders = (archive.kept.instances, archive.spool, archive.conflicts)
    return [path for folder in folders for path in folder.rglob("*") if path.is_file()]


class ReplayedError(Exception):
    """A referral that was filed before."""


def test_instances_and_the_callers_rows_are_one_transaction(archive: Archive) -> None:
    def within(session: Session, _filed: Filed) -> None:
        session.execute(text("CREATE TABLE referral (id TEXT PRIMARY KEY)"))
        session.execute(text("INSERT INTO referral VALUES ('one')"))

    filed = archive.file([arrival(archive, dataset) for dataset in ct()], issuer="erode", source="x", within=within)
    assert (filed.new, filed.same, filed.conflicts) == (3, 0, ())
    with archive.index.session() as session:
        assert session.scalar(text("SELECT id FROM referral")) == "one"


def test_what_the_caller_raises_undoes_everything(archive: Archive) -> None:
    def within(session: Session, _filed: Filed) -> None:
        session.execute(text("INSERT INTO patient VALUES (7, 'a', 'b', '', '', '', '')"))
        raise ReplayedError

    with pytest.raises(ReplayedError):
        archive.file([arrival(archive, dataset) for dataset in ct()], issuer="erode", source="x", within=within)
    assert files(archive) == []
    assert (count(archive), count(archive, Patient)) == (0, 0)


def test_one_bad_batch_does_not_spoil_its_neighbours(archive: Archive) -> None:
    """Batches that wait together share a commit; where it fails, each is tried by itself."""
    arrivals = [arrival(archive, dataset) for dataset in ct(count=8)]
    barrier = threading.Barrier(9)

    def good(one: Arrival) -> int:
        barrier.wait()
        return archive.file([one], issuer="erode", source="x").new

    broken_insert = text("INSERT INTO patient VALUES (1)")

    def bad() -> None:
        barrier.wait()
        archive.file([], issuer="erode", source="x", within=lambda s, _: s.execute(broken_insert))

    with ThreadPoolExecutor(9) as threads:
        results = [threads.submit(good, one) for one in arrivals]
        broken = threads.submit(bad)
    assert [result.result() for result in results] == [1] * 8
    assert broken.exception() is not None
    assert count(archive) == 8


def test_the_same_again_heals_what_the_disk_has_lost(archive: Archive) -> None:
    (dataset,) = ct(count=1)
    archive.file([arrival(archive, dataset)], issuer="erode", source="CT1")
    archive.path_of(dataset.SOPInstanceUID).unlink()
    assert archive.file([arrival(archive, dataset)], issuer="erode", source="CT1").same == 1
    assert archive.path_of(dataset.SOPInstanceUID).is_file()


def test_the_same_again_heals_what_the_disk_has_spoilt(archive: Archive) -> None:
    (dataset,) = ct(count=1)
    archive.file([arrival(archive, dataset)], issuer="erode", source="CT1")
    path = archive.path_of(dataset.SOPInstanceUID)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100] + b"\0" * 100)
    with pytest.raises(ZeroDivisionError):
        archive.file([arrival(archive, dataset)], issuer="erode", source="CT1", within=lambda *_: 1 / 0)  # type: ignore[arg-type,return-value]
    assert path.read_bytes() == whole, "what came to nothing does not take away what is kept"
    assert archive.file([arrival(archive, dataset)], issuer="erode", source="CT1").same == 1
    assert path.read_bytes() == whole
    assert list(archive.spool.iterdir()) == []


def test_the_same_again_heals_what_the_disk_does_not_give(archive: Archive) -> None:
    """/proc/self/mem says EIO to whoever reads where nothing is mapped, as a disk does at a bad sector."""
    (dataset,) = ct(count=1)
    archive.file([arrival(archive, dataset)], issuer="erode", source="CT1")
    path = archive.path_of(dataset.SOPInstanceUID)
    whole = path.read_bytes()
    unreadable(path)
    assert archive.file([arrival(archive, dataset)], issuer="erode", source="CT1").same == 1
    assert path.read_bytes() == whole


def test_another_beside_what_the_disk_does_not_give_is_set_aside(archive: Archive) -> None:
    (dataset,) = ct(count=1)
    archive.file([arrival(archive, dataset)], issuer="erode", source="CT1")
    unreadable(archive.path_of(dataset.SOPInstanceUID))
    dataset.PatientComments = "another content under the same UID"
    filed = archive.file([arrival(archive, dataset)], issuer="erode", source="CT1")
    assert filed.conflicts == (dataset.SOPInstanceUID,)
    assert len(list(archive.conflicts.iterdir())) == 1


def unreadable(path: Path) -> None:
    path.unlink()
    path.symlink_to("/proc/self/mem")
    with pytest.raises(OSError, match="Input/output error"):
        path.read_bytes()


def test_others_write_to_the_index_while_a_kept_file_is_read(archive: Archive) -> None:
    """A pipe in the place of the kept file: its reader waits until somebody writes into it."""
    (dataset,) = ct(count=1)
    archive.file([arrival(archive, dataset)], issuer="erode", source="CT1")
    path = archive.path_of(dataset.SOPInstanceUID)
    whole = path.read_bytes()
    path.unlink()
    os.mkfifo(path)
    with ThreadPoolExecutor(2) as threads:
        again = threads.submit(archive.file, [arrival(archive, dataset)], issuer="erode", source="CT1")
        with being_read(path) as pipe:
            try:
                threads.submit(written, archive).result(PATIENCE_S)
            finally:
                pipe.write(whole)
        assert again.result(PATIENCE_S).same == 1
    assert path.is_fifo(), "what was read is the same, and stays"


@contextmanager
def being_read(path: Path) -> Iterator[BinaryIO]:
    """The end of a pipe into which to write, once there is a reader at the other."""
    found: list[int] = []

    def has_reader() -> bool:
        with suppress(OSError):  # ENXIO: nobody reads
            found.append(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
        return bool(found)

    until(has_reader)
    with os.fdopen(found[0], "wb") as pipe:
        yield pipe


def written(archive: Archive) -> None:
    with archive.index.writing():
        pass


def test_an_instance_twice_in_one_batch_is_compared_with_what_the_first_has_put_there(archive: Archive) -> None:
    one, other = ct(count=2)
    archive.path_of(other.SOPInstanceUID).write_bytes(b"an orphan")
    batch = [arrival(archive, dataset) for dataset in (one, one, other, other)]
    places = [archive.path_of(dataset.SOPInstanceUID) for dataset in (one, other)]
    with pytest.raises(ZeroDivisionError):
        archive.file(batch, issuer="erode", source="CT1", within=lambda *_: 1 / 0)  # type: ignore[arg-type,return-value]
    assert [path.exists() for path in places] == [False, False]
    places[1].write_bytes(b"an orphan")
    one.file_meta.SourceApplicationEntityTitle = "CT1"
    batch = [arrival(archive, dataset) for dataset in (one, other, other)]
    del one.file_meta.SourceApplicationEntityTitle
    filed = archive.file([*batch, arrival(archive, one)], issuer="erode", source="CT1")
    assert (filed.new, filed.same, filed.conflicts) == (2, 2, ())


def test_what_contradicts_is_aside_before_the_transaction_ends(archive: Archive) -> None:
    """So that a kill right after it loses neither the word nor the file."""
    (dataset,) = ct(count=1)
    archive.file([arrival(archive, dataset)], issuer="erode", source="CT1")
    dataset.PatientComments = "another content under the same UID"
    seen: list[tuple[int, int]] = []

    def within(_session: Session, filed: Filed) -> None:
        seen.append((len(filed.conflicts), len(list(archive.conflicts.iterdir()))))

    archive.file([arrival(archive, dataset)], issuer="erode", source="CT1", within=within)
    assert seen == [(1, 1)]
    assert list(archive.kept.spool.iterdir()) == []


def test_two_branches_same_number_are_two_people(archive: Archive) -> None:
    for branch, name in (("erode", "Murugan^Selvi"), ("salem", "Raman^Kavitha")):
        archive.file([arrival(archive, d) for d in ct("1234", name, 1)], issuer=branch, source="x")
    assert count(archive, Patient) == 2
    with archive.index.session() as session:
        assert find_patient(session, "1234", "salem").name == "Raman^Kavitha"
        assert len(instances_of_patient(session, "salem", "1234")) == 1


def test_nobody_adds_to_another_patients_study(archive: Archive) -> None:
    first, second = ct("1", "A^A", 1)[0], ct("1", "B^B", 1)[0]
    second.StudyInstanceUID = first.StudyInstanceUID
    archive.file([arrival(archive, first)], issuer="erode", source="CT1")
    archive.file([arrival(archive, second)], issuer="salem", source="branch:salem")
    assert count(archive, Study) == 2
    with archive.index.session() as session:
        assert [(row.issuer, row.instances) for row in studies(session)] == [("salem", 1), ("erode", 1)]


def test_what_is_asked_of_the_index(archive: Archive) -> None:
    archive.file([arrival(archive, d) for d in ct("ER-1", "Murugan^Selvi", 3)], issuer="erode", source="CT1")
    archive.file([arrival(archive, d) for d in ct("ER_2", "Raman^100%", 1)], issuer="erode", source="CT1")
    with archive.index.session() as session:
        assert len(studies(session)) == 2
        for words, found in (("selvi", 1), ("er-1", 1), ("R-1", 0), ("%", 1), ("ER_", 1), ("x", 0)):
            assert len(studies(session, words)) == found, words
        (row,) = studies(session, "MURUGAN")
        assert studies_at(session, row.study_instance_uid) == studies_at(session, row.address) == [row]
        (series,) = series_of(session, row.key)
        assert [instance.number for instance in series.instances] == [1, 2, 3]
        assert {instance.state for instance in series.instances} == {"pending"}


def test_a_killed_process_leaves_nothing_that_is_not_indexed(archive: Archive, tmp_path: Path) -> None:
    """As after a kill between the link and the commit, in the middle of writing, and after the commit."""
    datasets = ct(count=2)
    linked = arrival(archive, datasets[0])
    archive.kept.place(linked)
    (archive.spool / "half").write_bytes(b"\0" * 100)
    (archive.spool / "referral").mkdir()
    (archive.spool / "referral" / "0001").write_bytes(b"x")
    committed = arrival(archive, datasets[1])
    os.link(committed.path, archive.spool / "left")
    archive.file([committed], issuer="erode", source="x")
    archive.close()
    again = open_archive(tmp_path)
    assert files(again) == [again.path_of(committed.header.sop_instance_uid)]
    assert list(again.spool.iterdir()) == []
    again.close()


def test_a_file_in_the_place_of_an_unindexed_one_wins(archive: Archive) -> None:
    """And the one that was there is set aside, also where the filing comes to nothing at first."""
    (dataset,) = ct(count=1)
    archive.path_of(dataset.SOPInstanceUID).write_bytes(b"an orphan")
    with pytest.raises(ZeroDivisionError):
        archive.file([arrival(archive, dataset)], issuer="erode", source="x", within=lambda *_: 1 / 0)  # type: ignore[arg-type,return-value]
    assert archive.file([arrival(archive, dataset)], issuer="erode", source="x").new == 1
    assert archive.path_of(dataset.SOPInstanceUID).read_bytes() != b"an orphan"
    assert [path.read_bytes() for path in archive.conflicts.iterdir()] == [b"an orphan"]


@pytest.mark.parametrize("size", [None, 0])
def test_a_lost_index_is_not_begun_anew_beside_images(archive: Archive, tmp_path: Path, size: int | None) -> None:
    """It is away, or has no byte left: nothing is written, and with the index that is put back all is as before."""
    (dataset,) = ct(count=1)
    archive.file([arrival(archive, dataset)], issuer="erode", source="CT1")
    archive.close()
    index, image = tmp_path / "index.sqlite", archive.path_of(dataset.SOPInstanceUID)
    whole, kept = index.read_bytes(), image.read_bytes()
    index.unlink()
    if size is not None:
        index.touch()
    with pytest.raises(ArchiveUnusable, match="put the index back"):
        open_archive(tmp_path)
    assert (image.read_bytes(), index.exists()) == (kept, size is not None)
    index.write_bytes(whole)
    again = open_archive(tmp_path)
    assert count(again) == 1
    again.close()


def test_what_is_left_without_being_finished_is_gone(archive: Archive) -> None:
    with archive.arriving() as arriving:
        arriving.write(b"\0" * 1000)
    with archive.arriving() as arriving:
        arriving.write(b"\0" * 1000)
        with pytest.raises(Unreadable):
            arriving.finish()
    assert files(archive) == []


def test_a_write_within_a_write_is_a_fault_not_a_wait(archive: Archive) -> None:
    with archive.index.writing(), pytest.raises(RuntimeError), archive.index.writing():
        pass
    with pytest.raises(IntegrityError), archive.index.writing() as session:
        session.execute(text("INSERT INTO study VALUES (1, 99, '1', '', '', '', '', '', '', 0, '')"))


def test_one_service_an_archive(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(ArchiveUnusable, match="another"):
        open_archive(tmp_path)


def test_folders_of_others_are_closed(archive: Archive) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in archive.folder.iterdir() if path.is_dir()}
    assert modes == {"instances": 0o700, "spool": 0o700, "conflicts": 0o700, "keys": 0o700, "shared": 0o755}
    assert (archive.folder / "index.sqlite").stat().st_mode & 0o077 == 0


def test_two_people_without_an_id_are_two(archive: Archive) -> None:
    for name in ("Anna^A", "Berta^B"):
        archive.file([arrival(archive, each) for each in ct("", name, 1)], issuer="erode", source="CT1")
    with archive.index.session() as session:
        found = {row.patient_name: row.patient_id for row in studies(session)}
        assert set(found) == {"Anna^A", "Berta^B"}
        assert len(set(found.values())) == 2
        assert all(len(instances_of_patient(session, "erode", patient_id)) == 1 for patient_id in found.values())
