"""Receiving, through DCMTK's clients over a real socket: who may, what is kept, and what the answer says."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid
from pynetdicom import evt
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.sop_class import CTImageStorage, MRImageStorage

from appliance.dimse.server import LIMITS
from appliance.index.queries import studies
from exchange.settings import Modality
from tests.appliance.hospital import ct
from tests.appliance.receiving import Reception, receiving
from tests.appliance.scanner import (
    associated,
    c_store_request,
    ct_files,
    echoscu,
    first_parts_of_a_request,
    statuses,
    storescu,
    written,
)
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pynetdicom.association import Association
    from pynetdicom.dimse_primitives import C_STORE

SUCCESS = "Success"
NETWORK_OF_ITS_OWN = ("unshare", "--map-root-user", "--net")


@pytest.fixture
def reception(tmp_path: Path) -> Iterator[Reception]:
    with receiving(tmp_path / "archive") as opened:
        yield opened


def test_anyone_may_ask_whether_it_answers(reception: Reception) -> None:
    assert echoscu(reception.address, caller="WHOEVER") == 0


def test_only_its_own_title_is_answered(reception: Reception) -> None:
    assert echoscu(reception.address, called="SALEM") != 0


def test_what_is_acknowledged_is_on_the_disk_and_in_the_index(reception: Reception, tmp_path: Path) -> None:
    files = ct_files(tmp_path / "ct", count=3)
    assert statuses(storescu(reception.address, *files)) == [SUCCESS] * 3
    assert reception.spooled() == []
    for file in files:
        sent = pydicom.dcmread(file)
        kept = pydicom.dcmread(reception.archive.path_of(sent.SOPInstanceUID))
        del sent[0xFFFCFFFC]  # Data Set Trailing Padding stays out of a C-STORE (PS3.10 7.2)
        assert kept == sent
    with reception.archive.index.session() as session:
        (row,) = studies(session)
    assert (row.patient_id, row.patient_name, row.issuer) == ("ER-4711", "Murugan^Selvi", "erode")
    assert (row.series, row.instances, row.pending, row.modalities, row.sources) == (1, 3, 3, ("CT",), ("CT1",))


def test_the_same_again_changes_nothing(reception: Reception, tmp_path: Path) -> None:
    files = ct_files(tmp_path / "ct", count=2)
    storescu(reception.address, *files)
    assert statuses(storescu(reception.address, *files)) == [SUCCESS] * 2
    assert len(reception.kept()) == 2
    assert list(reception.archive.conflicts.iterdir()) == []


@pytest.mark.parametrize(
    "modality",
    [Modality("MR1", "10.20.1.50"), Modality("CT1X", "10.20.1.50"), Modality("ct1", "10.20.1.50")],
)
def test_a_stranger_gets_no_storage_context(reception: Reception, tmp_path: Path, modality: Modality) -> None:
    reception.modalities = (modality,)
    said = storescu(reception.address, *ct_files(tmp_path / "ct", count=1))
    assert "No Acceptable Presentation Contexts" in said
    assert reception.kept() == []


def test_an_address_that_is_not_the_modality_s_stores_over_no_context(tmp_path: Path) -> None:
    """Not even over Verification, which everybody gets; and a modality stores only what was agreed on for a context."""
    if subprocess.run([*NETWORK_OF_ITS_OWN, "true"], capture_output=True).returncode:
        pytest.skip("the kernel lets nobody make a network namespace")
    script = Path(__file__).with_name("stranger.py")
    (tmp_path / "archive").mkdir()
    places = [str(tmp_path / "archive"), str(tmp_path / "told.json")]
    command = [*NETWORK_OF_ITS_OWN, sys.executable, str(script), *places]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "told.json").read_text()) == {
        "192.0.2.2": {"Verification SOP Class": 0x0124},
        "10.20.1.50": {"Verification SOP Class": 0x0122, "CT Image Storage": 0x0000},
        "kept": 1,
    }


def test_what_the_context_was_not_agreed_on_for_is_refused(reception: Reception) -> None:
    (dataset,) = ct(count=1)
    with associated(reception.address, MRImageStorage) as association:
        assert answer_to(association, c_store_request(dataset, announced=dataset.SOPInstanceUID)) == 0x0122
    assert reception.kept() == []


def test_settings_change_while_it_runs(reception: Reception, tmp_path: Path) -> None:
    files = ct_files(tmp_path / "ct", count=1)
    reception.modalities = ()
    assert "No Acceptable Presentation Contexts" in storescu(reception.address, *files)
    reception.modalities = (Modality("CT1", "no.such.host.invalid"),)
    assert statuses(storescu(reception.address, *files)) == [SUCCESS]


TRANSFER_SYNTAXES = {
    "CT_small.dcm": ("-xi", "-xb", "-x="),
    "JPEG2000.dcm": ("-xw",),
    "examples_ybr_color.dcm": ("-xy",),
    "SC_rgb_jpeg_dcmtk.dcm": ("-xy",),
    "MR_small_RLE.dcm": ("-xr",),
    "image_dfl.dcm": ("-xd",),
}


@pytest.mark.parametrize(
    ("name", "option"), [(n, option) for n, options in TRANSFER_SYNTAXES.items() for option in options]
)
def test_transfer_syntaxes(reception: Reception, name: str, option: str) -> None:
    path = str(get_testdata_file(name))
    assert statuses(storescu(reception.address, path, options=(option,))) == [SUCCESS]  # type: ignore[arg-type]
    sent, kept = pydicom.dcmread(path), pydicom.dcmread(reception.kept()[0])
    assert kept.SOPInstanceUID == sent.SOPInstanceUID
    assert kept.pixel_array.tobytes() == sent.pixel_array.tobytes()


def test_a_private_sop_class_is_kept(reception: Reception) -> None:
    (dataset,) = ct(count=1)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.113619.4.26"
    with associated(reception.address, dataset.SOPClassUID) as association:
        assert association.send_c_store(dataset).Status == 0x0000
    assert len(reception.kept()) == 1


HOSTILE = {
    "patient ID that climbs": {"PatientID": "../../../../etc/passwd"},
    "patient ID with a slash": {"PatientID": "12/34"},
    "patient ID with a NUL": {"PatientID": "12\x0034"},
    "name of 64 kB": {"PatientName": "X" * 60_000},
    "description with newlines": {"StudyDescription": "a\r\n../../b"},
    "empty patient ID": {"PatientID": ""},
}


@pytest.mark.parametrize("values", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.filterwarnings("ignore:.*:UserWarning")
def test_no_identifier_leads_out_of_the_archive(reception: Reception, tmp_path: Path, values: dict[str, str]) -> None:
    (dataset,) = ct(count=1)
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    before = {path for path in tmp_path.rglob("*") if reception.archive.folder not in path.parents}
    files = written(tmp_path / "hostile", dataset)
    assert statuses(storescu(reception.address, *files, options=("-xi",))) == [SUCCESS]
    after = {path for path in tmp_path.rglob("*") if reception.archive.folder not in path.parents}
    assert after - before == {tmp_path / "hostile", *files}
    assert reception.kept() == [reception.archive.path_of(dataset.SOPInstanceUID)]


@pytest.mark.filterwarnings("ignore:.*:UserWarning")
def test_what_cannot_be_found_again_is_refused(reception: Reception, tmp_path: Path) -> None:
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID"):
        (dataset,) = ct(count=1)
        delattr(dataset, keyword)
        assert "CannotUnderstand" in storescu(reception.address, *written(tmp_path / "bad", dataset))
    (dataset,) = ct(count=1)
    dataset.PatientID = "9" * 2000
    assert "CannotUnderstand" in storescu(reception.address, *written(tmp_path / "bad", dataset), options=("-xi",))
    assert reception.kept() == []
    assert reception.spooled() == []


def test_who_hangs_up_in_the_middle_leaves_nothing(reception: Reception) -> None:
    with associated(reception.address, CTImageStorage) as association:
        for part in first_parts_of_a_request(association, CTImageStorage, 20):
            association.dul.send_pdu(part)
        until(lambda: len(reception.spooled()) == 1)
        association.dul.socket.socket.shutdown(socket.SHUT_RDWR)
        until(lambda: reception.spooled() == [])
    assert reception.kept() == []
    assert echoscu(reception.address) == 0


def test_a_data_set_that_is_another_instance_is_refused(reception: Reception) -> None:
    (dataset,) = ct(count=1)
    with associated(reception.address, CTImageStorage) as association:
        assert answer_to(association, c_store_request(dataset, announced=generate_uid())) == 0xA900
    assert reception.kept() == []


def answer_to(association: Association, request: C_STORE) -> int:
    """The status of the answer to a request over the first context."""
    answers: list[int] = []
    association.bind(evt.EVT_DIMSE_RECV, lambda event: answers.append(event.message.command_set.Status))
    association.dimse.send_msg(request, association.accepted_contexts[0].context_id)
    until(lambda: bool(answers))
    return answers[0]


@pytest.mark.parametrize("pdu", [b"\x01\x00\xff\xff\xff\xff", b"\x42" * 6, b"\x04\x00\x00\x00\x00\x01\x00"])
def test_a_senseless_pdu_ends_that_connection_only(reception: Reception, pdu: bytes) -> None:
    with socket.create_connection((reception.address, 11112), timeout=20) as connection:
        connection.sendall(pdu)
        while connection.recv(100):
            pass
    assert echoscu(reception.address) == 0


@pytest.mark.parametrize("fragment", [b"", b"\x03", b"\x03" + bytes(40), b"\x02" * 9, b"\x03\0\0\0\1\2\0\0\0\x77\x77"])
def test_a_senseless_message_ends_that_association_only(reception: Reception, fragment: bytes) -> None:
    with associated(reception.address, CTImageStorage) as association:
        part = P_DATA()
        part.presentation_data_value_list.append((association.accepted_contexts[0].context_id, fragment))
        association.dul.send_pdu(part)
        until(lambda: not association.is_established)
    assert echoscu(reception.address) == 0
    assert reception.spooled() == []


def test_one_address_does_not_take_all_the_places(reception: Reception) -> None:
    """Its next connection is closed without a word, others are served, and it is heard again when one has ended."""
    with ExitStack() as silent:
        for _ in range(LIMITS.of_one_address):
            silent.enter_context(connected(reception, "127.0.0.1"))
        until(lambda: echoscu(reception.address) != 0)
        with connected(reception, "127.0.0.1") as one_more:
            assert one_more.recv(1) == b""
        with connected(reception, "127.0.0.2") as another:
            another.sendall(b"\x42" * 6)
            assert another.recv(1) != b""  # it is told that it makes no sense
    until(lambda: echoscu(reception.address) == 0)


def connected(reception: Reception, source: str) -> socket.socket:
    return socket.create_connection((reception.address, 11112), timeout=20, source_address=(source, 0))


def test_many_at_once(reception: Reception, tmp_path: Path) -> None:
    batches = [ct_files(tmp_path / f"ct{number}", count=10) for number in range(6)]
    with ThreadPoolExecutor(6) as senders:
        said = list(senders.map(lambda files: storescu(reception.address, *files), batches))
    assert [statuses(text) for text in said] == [[SUCCESS] * 10] * 6
    assert len(reception.kept()) == 60
