"""A modality: DCMTK's own clients, and the files that it sends."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING

from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid
from pynetdicom import AE
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE

from tests.appliance.hospital import ct

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydicom.dataset import FileDataset
    from pynetdicom.association import Association
    from pynetdicom.pdu_primitives import P_DATA


def storescu(
    address: str, *files: Path, caller: str = "CT1", called: str = "ERODE", options: tuple[str, ...] = ()
) -> str:
    """Send files; what storescu says of each, whatever its exit code."""
    command = ["storescu", "-v", "-aet", caller, "-aec", called, *options, address, "11112", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env={**os.environ, "TCP_NODELAY": "1"})
    return f"{done.stdout}{done.stderr}exit code {done.returncode}"


def echoscu(address: str, caller: str = "CT1", called: str = "ERODE") -> int:
    """The exit code of a C-ECHO."""
    command = ["echoscu", "-aet", caller, "-aec", called, address, "11112"]
    return subprocess.run(command, capture_output=True, timeout=60).returncode


def statuses(said: str) -> list[str]:
    """The status of each C-STORE response that storescu was given, in words."""
    marks = "Received Store Response ("
    return [line.split(marks)[1].rstrip(")") for line in said.splitlines() if marks in line]


def written(folder: Path, *datasets: FileDataset) -> list[Path]:
    """Data sets as files."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{number:04d}.dcm" for number, _ in enumerate(datasets)]
    for path, dataset in zip(paths, datasets, strict=True):
        dataset.save_as(path, enforce_file_format=True)
    return paths


def ct_files(folder: Path, count: int = 3) -> list[Path]:
    """A CT study of one series."""
    return written(folder, *ct(count=count))


@contextmanager
def associated(address: str, sop_class_uid: str, *syntaxes: str) -> Iterator[Association]:
    """An association of pynetdicom's, for what DCMTK's clients will not send."""
    entity = AE("CT1")
    entity.add_requested_context(sop_class_uid, list(syntaxes or (ImplicitVRLittleEndian, ExplicitVRLittleEndian)))
    association = entity.associate(address, 11112, ae_title="ERODE")
    assert association.is_established
    connection = association.dul.socket.socket
    try:
        yield association
    finally:
        association.release() if association.is_established else association.abort()
        association.join(20)
        association.dul.join(20)
        connection.close()


def c_store_request(dataset: FileDataset, announced: str) -> C_STORE:
    """A request that announces another instance than its data set is."""
    request = C_STORE()
    request.MessageID, request.Priority = 1, 0
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = dataset.SOPClassUID, announced
    encoded = DicomBytesIO()
    encoded.is_little_endian, encoded.is_implicit_VR = True, False
    write_dataset(encoded, dataset)
    request.DataSet = BytesIO(encoded.getvalue())
    return request


def first_parts_of_a_request(association: Association, sop_class_uid: str, count: int) -> list[P_DATA]:
    """The beginning of a large request."""
    request = C_STORE()
    request.MessageID, request.Priority = 1, 0
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = sop_class_uid, generate_uid()
    request.DataSet = BytesIO(b"\x08\x00" * 500_000)
    message = C_STORE_RQ()
    message.primitive_to_message(request)
    return list(message.encode_msg(association.accepted_contexts[0].context_id, 16384))[:count]
