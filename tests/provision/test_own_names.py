"""DNS names of a hospital's own: declared, checked, in the certificate after the next apply, and gone after another."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from exchange.authority import permits
from exchange.certificate import Certificate
from exchange.keys import BranchKeys
from exchange.tls_key import TlsKey
from provision.declaring.reading import parse
from provision.enrolling.enrolment import enrol
from provision.errors import DeclarationError
from tests.provision.certified import aged, certificate, report, standing

if TYPE_CHECKING:
    from tests.provision.conftest import Office

REACHED = {"erode", "10.20.1.10"}


def naming(text: str, *names: str) -> str:
    """The example, in which Erode has these names."""
    assert text.count("    ae_title: ERODE\n") == 1
    return text.replace("    ae_title: ERODE\n", f"    ae_title: ERODE\n    names: [{', '.join(names)}]\n")


@pytest.mark.parametrize(("typed", "kept"), [
    ("Images.Erode.Example", "images.erode.example"),
    ("images.erode.example.", "images.erode.example"),
    ("straße.example", "xn--strae-oqa.example"),
    ("படங்கள்.example", "xn--clchr7b8b8ic.example"),
])  # fmt: skip
def test_a_name_is_kept_as_dns_and_browsers_have_it(example_text: str, typed: str, kept: str) -> None:
    assert parse(naming(example_text, typed)).branches["erode"].names == (kept,)


@pytest.mark.parametrize("wrong", [
    "images", "'*.erode.example'", "10.20.1.10", "a.0x7f", "a_b.example", "-a.example", "a..example", "''",
    "'x.example/y'", "'x.example:8443'", f"{'x' * 64}.example", "'a b.example'", "xn--a.example",
])  # fmt: skip
def test_what_is_no_name_of_ones_own_is_told_with_its_place(example_text: str, wrong: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        parse(naming(example_text, "images.erode.example", wrong))
    (problem,) = caught.value.problems
    assert "branches.erode.names" in str(problem) or "DNS name" in str(problem)
    assert problem.line == 1 + example_text[: example_text.index("ae_title: ERODE")].count("\n") + 1


def test_two_branches_cannot_be_called_the_same(example_text: str) -> None:
    text = naming(example_text, "images.example.in")
    text = text.replace("    ae_title: SALEM\n", "    ae_title: SALEM\n    names: [IMAGES.example.in]\n")
    with pytest.raises(DeclarationError, match=r"'images\.example\.in' is already that of erode"):
        parse(text)


@pytest.fixture
def certified(office: Office) -> Office:
    office.apply()
    report(office, "erode", BranchKeys.generate(), TlsKey.generate())
    enrol(office.desk, office.community)
    return office


def test_names_lead_to_a_new_certificate_at_the_next_apply(certified: Office, example_text: str) -> None:
    before, root = certificate(certified), Certificate(standing(certified).authority)
    one, other = (naming(example_text, name) for name in ("images.erode.example", "bilder.erode.example"))
    (step,) = certified.plan(one)
    assert (step.kind, [change.field for change in step.changes]) == ("directory", ["names"])
    assert "install it" in step.reason
    assert not certified.apply(one).after
    assert certificate(certified).names == REACHED | {"images.erode.example"}
    assert certificate(certified).serial != before.serial
    wider = Certificate(standing(certified).authority)
    assert permits(wider, {"images.erode.example"})
    assert (wider.key_id, permits(root, {"images.erode.example"})) == (root.key_id, False)
    assert not certified.plan(one)
    assert not certified.apply(other).after
    assert certificate(certified).names == REACHED | {"bilder.erode.example"}
    assert not certified.apply(example_text).after, "and none again"
    assert certificate(certified).names == REACHED


def test_who_is_enrolled_later_has_them_from_the_beginning(office: Office, example_text: str) -> None:
    text = naming(example_text, "images.erode.example")
    named = replace(office, community=parse(text))
    named.apply()
    report(named, "erode", BranchKeys.generate(), TlsKey.generate())
    enrol(named.desk, named.community)
    assert certificate(named).names == REACHED | {"images.erode.example"}
    assert not named.plan()
    assert enrol(named.desk, named.community).directory_version == 1


def test_a_first_certificate_by_apply_holds_them(certified: Office, example_text: str) -> None:
    """Of a branch that was enrolled before there was an authority, or that asked for a certificate later."""
    from tests.provision.certified import publish

    publish(certified, replace(standing(certified).branch("erode"), certificate=""))
    text = naming(example_text, "images.erode.example")
    assert not certified.apply(text).after
    assert certificate(certified).names == REACHED | {"images.erode.example"}


def test_a_renewal_and_a_new_authority_keep_them(certified: Office, example_text: str) -> None:
    from provision.enrolling.replacement import replace_authority

    text = naming(example_text, "images.erode.example")
    certified.apply(text)
    aged(certified, "erode", timedelta(days=10))
    assert not certified.apply(text).after
    assert certificate(certified).names == REACHED | {"images.erode.example"}
    replace_authority(certified.desk, parse(text))
    assert certificate(certified).names == REACHED | {"images.erode.example"}
    assert not certified.plan(text)
