"""A caller with a modality's AE title and another address, against a DICOM server in a network of its own.

`unshare --map-root-user --net python stranger.py FOLDER FILE` writes JSON: for each caller the status of a C-STORE over
each context that was accepted, and how many instances are kept.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage, Verification

from appliance.audit import Audit
from appliance.dimse.desk import StorageDesk
from appliance.dimse.server import DicomServer
from appliance.keeping.archive import open_archive
from exchange.settings import Modality
from tests.appliance.hospital import ct
from tests.appliance.scanner import c_store_request
from tests.waiting import until

if TYPE_CHECKING:
    from pynetdicom.association import Association

MACHINE, MODALITY, STRANGER = "10.20.1.10", "10.20.1.50", "192.0.2.2"


def main() -> None:
    """Make the network, listen, and let both come: the stranger, and then the modality."""
    for command in ("link set lo up", *(f"addr add {one}/24 dev lo" for one in (MACHINE, MODALITY, STRANGER))):
        subprocess.run(["ip", *command.split()], check=True)
    archive = open_archive(Path(sys.argv[1]))
    desk = StorageDesk(archive, "erode", lambda: (Modality("CT1", MODALITY),))
    server = DicomServer("ERODE", desk, Audit(archive.index))
    server.listen(MACHINE, 11112)
    told = {address: came(address) for address in (STRANGER, MODALITY)}
    kept = [path for path in archive.kept.instances.rglob("*") if path.is_file()]
    server.stop()
    Path(sys.argv[2]).write_text(json.dumps({**told, "kept": len(kept)}))
    archive.close()


def came(address: str) -> dict[str, object]:
    """What is accepted of somebody at an address, and what comes of images over each context that was."""
    entity = AE("CT1")
    entity.add_requested_context(Verification, [ImplicitVRLittleEndian])
    entity.add_requested_context(CTImageStorage, [ImplicitVRLittleEndian])
    association = entity.associate(MACHINE, 11112, ae_title="ERODE", bind_address=(address, 0))
    accepted = {context.abstract_syntax.name: context.context_id for context in association.accepted_contexts}
    told = {name: sent(association, context) for name, context in accepted.items()}
    association.release()
    return told


def sent(association: Association, context: int) -> int:
    """The status of an image that is sent over a context, whatever that is for."""
    (dataset,) = ct(count=1)
    answers: list[int] = []
    association.bind(evt.EVT_DIMSE_RECV, lambda event: answers.append(event.message.command_set.Status))
    association.dimse.send_msg(c_store_request(dataset, announced=dataset.SOPInstanceUID), context)
    until(lambda: bool(answers))
    return answers[0]


if __name__ == "__main__":
    main()
