"""A branch hospital in this process: a real archive, the people side, and its pages over a real socket."""

from __future__ import annotations

import io
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

import httpx
import pydicom
import uvicorn
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid
from sqlalchemy import select

from appliance.health import Health
from appliance.index.models import DONE, Instance, Rendition
from appliance.keeping.archive import open_archive
from appliance.people import HttpPlace, People
from appliance.referral.branch import Branch
from appliance.referral.receiving import Receiving
from appliance.referral.sending import Sending
from appliance.web.app import web_app
from converter.instance import open_instance
from converter.options import Options
from converter.results import Picture
from converter.writing import pictures
from exchange.folder import Folder
from exchange.keys import own_keys
from tests.appliance.community import STAFF, Community
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pydicom.dataset import FileDataset

    from appliance.keeping.archive import Archive

PASSWORD = "three blue kites over erode"


class Hospital:
    """One branch's appliance without its DIMSE side; `step()` does what its threads would do, one round."""

    def __init__(self, community: Community, branch: str, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.community = community
        self.branch = branch
        self.archive: Archive = open_archive(folder)
        self.context = community.context(branch)
        self.people = People(
            self.context, self.archive, self.archive.index, lambda: Health(True, 0), HttpPlace("127.0.0.1", 0)
        )
        self.people.prepare()
        me = Branch(branch, own_keys(self.archive.keys))
        exchange, outbox = Folder(self.context.exchange), Folder(self.context.outbox)
        known, audit, index = self.people.directory, self.people.audit, self.archive.index
        self.keys = me.keys
        self.sending = Sending(me, index, exchange, outbox, known, audit)
        self.receiving = Receiving(me, self.archive, exchange, outbox, known, self.people.settings, audit)
        self.codes: dict[str, str] = {}
        self._clients: list[httpx.Client] = []

    def enrol(self, staff: dict[str, str] = STAFF) -> Self:
        """Hand in the keys, be named in the directory, get the settings."""
        self.people.enrolment.step()
        self.community.admit_file(self.branch, self.archive.keys)
        self.codes |= self.community.appoint(self.branch, staff)
        self.people.enrolment.step()
        assert self.people.enrolment.enrolled
        return self

    def step(self) -> None:
        self.people.enrolment.step()
        self.sending.step()
        self.receiving.step()

    def serve(self) -> Self:
        """Serve the pages on a free port."""
        config = uvicorn.Config(
            web_app(self.people), host="127.0.0.1", port=0, log_config=None, server_header=False, lifespan="off"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        until(lambda: self._server.started)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    def accept_all(self) -> Self:
        """Every person of the staff sets the same password."""
        for login in list(self.codes):
            self.people.entrance.accept(login, self.codes.pop(login), PASSWORD, "127.0.0.1")
        return self

    def client(self, login: str | None = None) -> httpx.Client:
        """A client of the pages, logged in."""
        client = httpx.Client(base_url=self.url, trust_env=False, timeout=30)
        self._clients.append(client)
        if login is not None:
            client.post("/api/session", json={"login": login, "password": PASSWORD}).raise_for_status()
        return client

    def keep(self, datasets: Iterable[FileDataset], issuer: str | None = None) -> None:
        """File data sets as if a modality had sent them."""
        file_all(self.archive, datasets, issuer or self.branch)

    def render(self) -> None:
        """Make the pictures of everything that is kept."""
        with self.archive.index.writing() as session:
            for instance in session.scalars(select(Instance).where(Instance.state != DONE)).all():
                kept = self.archive.path_of(instance.sop_instance_uid)
                opened = open_instance(kept)
                numbers = range(1, opened.frame_count + 1)
                for picture in pictures(opened, self.archive.shared, str(instance.id), Options(replace=True), numbers):
                    assert isinstance(picture, Picture), picture
                    session.add(
                        Rendition(
                            instance_key=instance.id,
                            frame=picture.frame,
                            path=picture.path.name,
                            rows=picture.rows,
                            columns=picture.columns,
                            window_centre=None,
                            window_width=None,
                            window_function="",
                        )
                    )
                instance.state = DONE

    def kept(self) -> list[str]:
        """SOP Instance UIDs of everything that is kept."""
        with self.archive.index.session() as session:
            return sorted(session.scalars(select(Instance.sop_instance_uid)))

    def close(self) -> None:
        for client in self._clients:
            client.close()
        if hasattr(self, "_thread"):
            self._server.should_exit = True
            self._thread.join()
        self.archive.close()


def file_all(archive: Archive, datasets: Iterable[FileDataset], issuer: str) -> None:
    """File data sets as the DIMSE side does."""
    arrivals = []
    for dataset in datasets:
        target = io.BytesIO()
        dataset.save_as(target)
        with archive.arriving() as arriving:
            arriving.write(target.getvalue())
            arrivals.append(arriving.finish())
    archive.file(arrivals, issuer=issuer, source="CT1")


@contextmanager
def hospitals(folder: Path, *branches: str) -> Iterator[tuple[Hospital, ...]]:
    """Enrolled branches of one community; every one knows the newest directory."""
    community = Community(folder / "exchange")
    opened = tuple(Hospital(community, branch, folder / branch) for branch in branches)
    try:
        for one in opened:
            one.enrol()
        for one in opened:
            one.people.enrolment.step()
        yield opened
    finally:
        for one in opened:
            one.close()


def ct(patient_id: str = "ER-4711", name: str = "Murugan^Selvi", count: int = 3) -> list[FileDataset]:
    """A CT study of so many small images, of one series."""
    study, series = generate_uid(), generate_uid()
    return [_instance(study, series, patient_id, name, number) for number in range(1, count + 1)]


def _instance(study: str, series: str, patient_id: str, name: str, number: int) -> FileDataset:
    dataset = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    dataset.PatientID, dataset.PatientName = patient_id, name
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.InstanceNumber, dataset.StudyDescription = number, "CT abdomen"
    return dataset
