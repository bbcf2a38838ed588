"""DICOM over TLS, through DCMTK and our own client."""

from __future__ import annotations

import os
import socket
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from appliance.dimse.scu import Peer, echo
from exchange.authority import Authority
from exchange.trust import trust_in
from tests.appliance.scanner import ct_files, statuses, storescu
from tests.appliance.tls import DICOM_TLS, dcmtk, erode, root_file

if TYPE_CHECKING:
    from pathlib import Path

    from tests.appliance.process import ApplianceProcess

__all__ = ["erode"]


@pytest.mark.parametrize("profile", ["+py", "+px", "+pz"])
def test_dcmtk_s_profiles_of_bcp_195_are_spoken(erode: ApplianceProcess, tmp_path: Path, profile: str) -> None:
    """Non-downgrading, plain, extended (which wants ciphers of 256 bits)."""
    root = root_file(erode, tmp_path)
    command = ["echoscu", "-v", "-aet", "CT1", "-aec", "ERODE", "+tla", "+cf", root, profile]
    done = subprocess.run([*command, erode.address, str(DICOM_TLS)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_study_sent_over_tls_is_kept_and_a_stranger_s_is_not(erode: ApplianceProcess, tmp_path: Path) -> None:
    root = root_file(erode, tmp_path)
    files = ct_files(tmp_path / "ct", 20)
    before = erode.rows("SELECT count(*) FROM instance")[0][0]
    done = dcmtk("storescu", erode, root, *files)
    assert statuses(done.stdout + done.stderr) == ["Success"] * 20
    assert erode.rows("SELECT count(*) FROM instance") == [(before + 20,)]
    command = ["storescu", "-aet", "STRANGER", "-aec", "ERODE", "+tla", "+cf", root, erode.address, str(DICOM_TLS)]
    assert subprocess.run([*command, str(files[0])], capture_output=True, timeout=60).returncode != 0
    assert statuses(storescu(erode.address, *ct_files(tmp_path / "clear", 1))) == ["Success"], "in clear beside it"


def test_large_images_arrive_whole_over_tls(erode: ApplianceProcess, tmp_path: Path) -> None:
    """Larger than a record of TLS, than a PDU, and than what the kernel holds."""
    (file,) = ct_files(tmp_path / "large", 1)
    import pydicom

    dataset = pydicom.dcmread(file)
    dataset.Rows, dataset.Columns = 3000, 2500
    dataset.PixelData = os.urandom(3000 * 2500 * 2)
    dataset.save_as(file)
    done = dcmtk("storescu", erode, root_file(erode, tmp_path), file)
    assert statuses(done.stdout + done.stderr) == ["Success"]
    (kept,) = [path for path in (erode.archive / "instances").rglob("*.dcm") if path.stat().st_size > 15_000_000]
    assert pydicom.dcmread(kept).PixelData == dataset.PixelData


def test_plain_dicom_and_junk_at_the_tls_port_end_alone(erode: ApplianceProcess, tmp_path: Path) -> None:
    command = ["echoscu", "-aet", "CT1", "-aec", "ERODE", erode.address, str(DICOM_TLS)]
    assert subprocess.run(command, capture_output=True, timeout=60).returncode != 0
    with socket.create_connection((erode.address, DICOM_TLS), timeout=10) as junk:
        junk.sendall(b"\x16\x03\x01\xff\xff" + b"\xff" * 100)
        try:
            while junk.recv(4096):
                pass
        except ConnectionError:
            pass
    assert dcmtk("echoscu", erode, root_file(erode, tmp_path)).returncode == 0
    assert "Traceback" not in erode.log.read_text()


def test_our_own_dicom_client_verifies_as_well(erode: ApplianceProcess) -> None:
    root, stranger = erode.community.authority_certificate(), Authority.generate()
    peer = Peer("ERODE", erode.address, DICOM_TLS, trust_in(root))
    assert echo(peer, "CT1")
    assert not echo(replace(peer, trust=trust_in(stranger.root("kongu", {"erode"}, datetime.now(UTC)))), "CT1")
