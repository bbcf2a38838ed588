"""Pages as an old browser gets them: no script, no style needed to find one's way."""

from __future__ import annotations

import io
import re
from datetime import date, datetime, timedelta
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from sqlalchemy import select

from appliance.index.models import FAILED, Instance
from appliance.people_tables import AuditEntry
from appliance.web.words import moment
from tests.appliance.hospital import Hospital, ct, hospitals

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx


class Page(HTMLParser):
    """Links, pictures, forms and the words of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: dict[str, str] = {}
        self.pictures: list[str] = []
        self.fields: dict[str, str] = {}
        self.words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))
        self._href: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "a":
            self._href = values.get("href")
        elif tag == "img":
            self.pictures.append(values["src"] or "")
            assert values.get("alt")
        elif tag == "input" and values.get("name"):
            self.fields.setdefault(values["name"] or "", values.get("value") or "")
        assert not any(name.startswith("on") or name == "style" for name in values), "no inline script or style"

    def handle_data(self, data: str) -> None:
        if self._href is not None and data.strip():
            self.links[data.strip()] = self._href

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._href = None


def read(client: httpx.Client, path: str) -> Page:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return Page(answer.text)


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> Iterator[tuple[Hospital, Hospital]]:
    folder: Path = tmp_path_factory.mktemp("two")
    with hospitals(folder, "erode", "salem") as (erode, salem):
        erode.accept_all().serve()
        salem.accept_all().serve()
        for number in range(28):
            erode.keep(ct(f"ER-{4700 + number}", f"Patient^Number {number}", 1))
        erode.keep(ct("ER-5000", "Murugan^Selvi", 20))
        movie = pydicom.dcmread(str(get_testdata_file("examples_ybr_color.dcm")))
        movie.PatientID, movie.PatientName = "ER-5001", "<script>alert('x')</script>^&amp;"
        erode.keep([movie])
        erode.render()
        yield erode, salem


def test_the_list_is_searched_and_paged(two) -> None:
    client = two[0].client("dr.anbu")
    first = read(client, "/")
    assert "30 studies" in first.words
    assert "Page 1 of 2" in first.words
    second = read(client, urljoin("/", first.links["Next"]))
    assert "Page 2 of 2" in second.words
    found = read(client, "/?q=selvi")
    assert "Murugan, Selvi" in found.links
    assert "1 study for “selvi”" in found.words
    assert "Nothing is found for “zz&lt;”" in client.get("/?q=zz<").text


def test_a_page_beyond_the_list_is_its_last(two) -> None:
    client = two[0].client("dr.anbu")
    beyond = read(client, "/?page=99")
    assert "Page 2 of 2" in beyond.words
    assert beyond.links["Previous"] == "/?q=&page=1"
    assert "No study has arrived yet" not in beyond.words
    study = read(client, read(client, "/?q=selvi").links["Murugan, Selvi"])
    assert len(read(client, study.links["All 20 pictures"] + "?page=99").pictures) == 20


def test_how_much_arrived_is_told_and_nobody_claims_that_it_is_all(two) -> None:
    """Of five images three were kept: the list cannot know of the others."""
    erode, _ = two
    client = erode.client("r.devi")
    images = ct("ER-7000", "Half^Way", 5)
    erode.keep(images[:3])
    erode.render()
    came = client.get("/api/studies", params={"text": "ER-7000"}).json()[0]["last_arrival"]
    words = read(client, "/?q=ER-7000").words
    assert f"1 3 3 drawn last image {moment(datetime.fromisoformat(came))}" in words
    assert "complete" not in words
    erode.keep(images[3:4])
    words = read(client, "/?q=ER-7000").words
    assert "1 4 3 1 being made last image" in words
    assert client.get("/api/studies", params={"text": "ER-7000"}).json()[0]["last_arrival"] > came
    study = read(client, read(client, "/?q=ER-7000").links["Half, Way"])
    assert "4 images, the last arrived" in study.words
    erode.render()
    assert "1 4 4 drawn last image" in read(client, "/?q=ER-7000").words


def test_the_browsers_history_keeps_no_name(two) -> None:
    client = two[0].client("dr.anbu")
    study = read(client, "/?q=selvi").links["Murugan, Selvi"]
    series = read(client, study).links["All 20 pictures"]
    for path in ("/?q=selvi", study, series, f"{series}/1", "/refer?patient_id=ER-5000&issuer=erode", "/referrals"):
        (title,) = re.findall(r"<title>(.*?)</title>", client.get(path).text)
        assert title.endswith(" · Erode Town Hospital")
        assert not {"murugan", "selvi"} & set(re.findall(r"\w+", title.lower())), path


def test_a_study_leads_to_its_pictures(two) -> None:
    client = two[0].client("dr.anbu")
    study = read(client, read(client, "/?q=selvi").links["Murugan, Selvi"])
    assert len(study.pictures) == 16
    series = read(client, study.links["All 20 pictures"])
    assert len(series.pictures) == 20
    small = Image.open(io.BytesIO(client.get(series.pictures[0]).content))
    assert (small.format, max(small.size)) == ("JPEG", 128)


def test_every_frame_is_a_page_with_its_neighbours(two) -> None:
    client = two[0].client("r.devi")
    place = read(client, "/?q=ER-5001")
    study = read(client, next(link for link in place.links.values() if link.startswith("/studies/")))
    viewer = read(client, study.links["All 30 pictures"] + "/1")
    seen = 1
    while "Next" in viewer.links:
        viewer = read(client, viewer.links["Next"])
        seen += 1
    assert seen == 30
    assert "30 of 30" in viewer.words
    full = client.get(viewer.pictures[0])
    assert full.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(full.content)).size == (320, 240)


def test_what_a_data_set_says_is_text_and_never_markup(two) -> None:
    client = two[0].client("dr.anbu")
    for path in ("/?q=ER-5001", "/refer?patient_id=ER-5001&issuer=erode"):
        assert "<script>alert" not in client.get(path).text
        assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" in client.get(path).text


def test_a_doctor_refers_by_the_button(two) -> None:
    erode, salem = two
    client = erode.client("dr.anbu")
    study = read(client, read(client, "/?q=selvi").links["Murugan, Selvi"])
    form = read(client, study.links["Refer to another branch"])
    assert "Salem Mission Hospital" in form.words
    assert client.post("/refer", data=form.fields).headers["location"] == "/referrals"
    assert "0 of 20" in read(client, "/referrals").words
    assert '<meta http-equiv="refresh"' in client.get("/referrals").text
    for _ in range(2):
        erode.step()
        salem.step()
    assert "20 of 20" in read(client, "/referrals").words
    assert "http-equiv" not in client.get("/referrals").text
    assert "from Erode Town Hospital" in read(salem.client("r.devi"), "/referrals").words
    assert "20 of 20" in read(salem.client("r.devi"), "/referrals").words
    assert "of Erode Town Hospital" in read(salem.client("r.devi"), "/").words
    again = client.post("/refer", data=form.fields)
    assert "every image of this patient already" in read(client, again.headers["location"]).words


def test_a_referral_is_withdrawn_by_the_button(two) -> None:
    client = two[0].client("dr.anbu")
    form = read(client, "/refer?patient_id=ER-4701&issuer=erode")
    client.post("/refer", data=form.fields)
    text = client.get("/referrals").text
    action = re.search(r'action="(/referrals/[^"]+/withdraw)"', text)
    assert action is not None
    token = {"token": Page(text).fields["token"]}
    assert client.post(action[1], data=token).headers["location"] == "/referrals"
    assert "withdrawn by dr.anbu" in read(client, "/referrals").words
    assert client.post(action[1], data=token).status_code == 409


def test_a_radiographer_sees_and_does_not_refer(two) -> None:
    client = two[0].client("r.devi")
    study = read(client, read(client, "/?q=selvi").links["Murugan, Selvi"])
    assert "Refer to another branch" not in study.links
    assert client.get("/refer?patient_id=ER-5000&issuer=erode").status_code == 403
    assert client.get("/audit").status_code == 403
    assert "Audit" not in study.links


def test_an_admin_reads_the_audit_log(two) -> None:
    erode, _ = two
    doctor = erode.client("dr.anbu")
    read(doctor, read(doctor, "/?q=ER-5000").links["Murugan, Selvi"])
    admin = erode.client("k.mani")
    assert "Every entry is as it was written" in read(admin, "/audit?check=true").words
    views = read(admin, "/audit?action=view").words
    assert "dr.anbu" in views
    assert "issuer erode · patient ER-5000" in views
    assert "No entry matches" in read(admin, "/audit?who=nobody").words


def test_who_saw_a_patient_s_images_is_asked_by_patient_id_and_days(two) -> None:
    erode, _ = two
    for login, patient in (("dr.anbu", "ER-4705"), ("r.devi", "ER-4706")):
        client = erode.client(login)
        read(client, next(link for link in read(client, f"/?q={patient}").links.values() if "/studies/" in link))
    erode.client("dr.anbu").post("/api/referrals", json={"patient_id": "ER-4705", "to": "salem"}).raise_for_status()
    admin = erode.client("k.mani")
    page = read(admin, "/audit?patient=ER-4705")
    assert page.fields["patient"] == "ER-4705"
    assert "issuer erode · patient ER-4705" in page.words
    assert "ER-4706" not in page.words
    asked = admin.get("/api/audit", params={"patient": " ER-4705 "}).json()
    assert [(one["action"], one["who"]) for one in asked] == [("refer", "dr.anbu"), ("view", "dr.anbu")]
    assert [one["action"] for one in admin.get("/api/audit?patient=ER-4705&who=dr.anbu&action=view").json()] == ["view"]
    assert admin.get("/api/audit?patient=ER-470").json() == []


def test_the_audit_log_is_asked_by_days(two) -> None:
    admin = two[0].client("k.mani")
    assert admin.get("/api/audit").json()
    with two[0].archive.index.session() as session:
        newest = session.scalars(select(AuditEntry.at).order_by(AuditEntry.number.desc()).limit(1)).one()
    day = date.fromisoformat(newest[:10])
    before, after = day - timedelta(days=1), day + timedelta(days=1)
    for since, until, found in (
        (day, "", True),
        (before, after, True),
        ("", day, True),
        (after, "", False),
        ("0001-01-01", before - timedelta(days=1), False),
        ("", "9999-12-31", True),
    ):
        asked = {"since": str(since), "until": str(until), "limit": 5}
        assert bool(admin.get("/api/audit", params=asked).json()) is found, asked
        page = read(admin, f"/audit?who=&action=&subject=&patient=&since={since}&until={until}")
        assert ("No entry matches" not in page.words) is found
        assert (page.fields["since"], page.fields["until"]) == (str(since), str(until))
    assert admin.get("/audit?since=yesterday").status_code == 422
    assert admin.get("/api/audit?until=2026-13-01").status_code == 422


def test_earlier_entries_are_of_the_same_patient(two) -> None:
    erode, _ = two
    for number in range(101):
        erode.people.audit.record(
            action="view", who="dr.anbu", subject="1.2", detail={"patient": "ER/9 &", "n": number}
        )
    admin = erode.client("k.mani")
    first = read(admin, "/audit?patient=ER%2F9+%26")
    earlier = read(admin, first.links["Earlier"])
    assert "patient ER/9 &amp;" in earlier.words
    assert "n 0" in earlier.words
    assert "n 1 " not in earlier.words
    assert "Earlier" not in earlier.links


def test_a_view_is_recorded_once_however_many_pictures_it_has(two) -> None:
    erode, _ = two
    client = erode.client("k.mani")
    link = read(client, "/?q=ER-4703").links["Patient, Number 3"]
    for _ in range(3):
        study = read(client, link)
        client.get(study.pictures[0])
    wanted = select(AuditEntry).where(AuditEntry.who == "k.mani", AuditEntry.subject == link.rpartition("-")[2])
    with erode.archive.index.session() as session:
        assert len(session.scalars(wanted).all()) == 1


def test_a_picture_by_its_address_alone_is_recorded_too(two) -> None:
    erode, _ = two
    with erode.archive.index.session() as session:
        uid = session.scalars(select(Instance.sop_instance_uid).limit(1)).one()
    assert erode.client().get(f"/pictures/{uid}/1.png").status_code == 303
    client = erode.client("r.devi")
    assert client.get(f"/pictures/{uid}/1.png").status_code == 200
    with erode.archive.index.session() as session:
        assert session.scalar(select(AuditEntry.who).order_by(AuditEntry.number.desc()).limit(1)) == "r.devi"


def test_what_is_not_drawn_yet_or_failed_is_told(two) -> None:
    erode, _ = two
    client = erode.client("dr.anbu")
    late = ct("ER-6000", "Late^Comer", 2)
    erode.keep(late)
    assert "2 being made" in read(client, "/?q=ER-6000").words
    assert "being made" in read(client, read(client, "/?q=ER-6000").links["Late, Comer"]).words
    with erode.archive.index.writing() as session:
        for instance in session.scalars(select(Instance).where(Instance.state == "pending")):
            instance.state, instance.reason = FAILED, "the pixel data is cut short"
    assert "2 failed" in read(client, "/?q=ER-6000").words
    assert "the pixel data is cut short" in read(client, read(client, "/?q=ER-6000").links["Late, Comer"]).words


@pytest.mark.parametrize(
    "path",
    [
        "/studies/1.2.3",
        "/pictures/1.2.3/1.png",
        "/thumbnails/1.2.3/1.jpg",
        "/static/base.html",
        "/static/..%2faudit.py",
    ],
)
def test_what_is_not_there_is_a_page_that_says_so(two, path: str) -> None:
    answer = two[0].client("dr.anbu").get(path)
    assert answer.status_code == 404
    assert "Not Found" in answer.text


@pytest.mark.parametrize(
    "path", ["/pictures/1.2.3/9999999999999999999999.png", "/thumbnails/1.2.3/0.jpg", "/?page=9999999999999999999999"]
)
def test_a_number_beyond_the_index_is_refused(two, path: str) -> None:
    assert 400 <= two[0].client("dr.anbu").get(path).status_code < 500
