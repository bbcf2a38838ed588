"""A community file is read whole, and every mistake is told with its place."""

from __future__ import annotations

import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from provision.declaring.community import Cpu
from provision.declaring.reading import json_schema, load, parse
from provision.errors import DeclarationError

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "community.yaml"
TEXT = EXAMPLE.read_text()


def problems_of(text: str) -> list[str]:
    with pytest.raises(DeclarationError) as caught:
        parse(text)
    return [str(problem) for problem in caught.value.problems]


def test_the_example_is_right() -> None:
    community = load(EXAMPLE)
    assert list(community.branches) == ["erode", "salem", "karur"]
    assert community.capacity("erode").memory.mib == 4096
    assert ("erode", "karur") in community.referral_pairs()
    assert ("salem", "karur") not in community.referral_pairs()


def test_left_out_referrals_are_everyone_to_everyone() -> None:
    community = parse(TEXT[: TEXT.index("referrals:")])
    assert len(community.referral_pairs()) == 6


def test_every_hundredth_of_a_cpu_is_a_number_of_cpus() -> None:
    """OpenNebula counts in hundredths, and 1.1, 2.2 and 0.29 are no whole hundredths in binary."""
    adapter = TypeAdapter(Cpu)
    for hundredths in range(1, 401):
        assert adapter.validate_python(float(f"{hundredths // 100}.{hundredths % 100:02}")) == hundredths / 100
    for text in ("0.001", "1.105", "2.2000001"):
        with pytest.raises(ValidationError, match="more than two decimals"):
            adapter.validate_python(float(text))


STORES = "datastores: {images: default, system: system}"

MISTAKES = {
    "datastores: {}\ndatastores:": ("datastores:", "stands here a second time"),
    "memory: 4,": ("memory: 4GiB,", "4 is no size"),
    "memory: 0.3MiB,": ("memory: 4GiB,", "not a whole number of MiB"),
    "ae_title: THIS_TITLE_IS_TOO_LONG": ("ae_title: ERODE", "an AE title has 1 to 16"),
    "ae_title: 'BACK\\SLASH'": ("ae_title: ERODE", "an AE title has 1 to 16"),
    "ae_title: SALEM": ("ae_title: ERODE", "'SALEM' is already that of erode"),
    "ae_title: 1234": ("ae_title: ERODE", "a text is expected here"),
    "gateway: 10.20.9.1": ("gateway: 10.20.1.1", "10.20.9.1 is no address of a machine in 10.20.1.0/24"),
    "gateway: 10.20.1.255": ("gateway: 10.20.1.1", "10.20.1.255 is no address of a machine"),
    "appliance: 10.20.1.1}": ("appliance: 10.20.1.10}", "10.20.1.1 is already that of the gateway"),
    "host: 10.20.1.10}": ("host: 10.20.1.50}", "10.20.1.10 is already that of the appliance"),
    "host: scanner}": ("host: 10.20.1.50}", "'scanner' is no IPv4 address"),
    "cidr: 10.20.1.0/16": ("cidr: 10.20.1.0/24", "is an address inside a network: the network itself is 10.20.0.0/16"),
    "cidr: 10.20.1.0": ("cidr: 10.20.1.0/24", "does not say how large"),
    "vlan: 102": ("vlan: 101", "vlan 102 is already that of erode"),
    "vlan: 4095": ("vlan: 101", "4095 is more than 802.1Q has"),
    "vlan: -1": ("vlan: 101", "greater than or equal to 1"),
    "{cidr: 10.20.1.0/24, gateway": ("{cidr: 10.20.2.0/24, gateway", "overlaps the network of erode"),
    "disk: 10GiB": ("disk: 500GiB", "10GiB is less than the appliance needs, 200GiB"),
    "cpu: 1.5, memory: 8GiB": ("cpu: 4, memory: 8GiB", "1.5 is less than the appliance needs, 2.0"),
    "cpu: 4.125, memory": ("cpu: 4, memory", "more than two decimals"),
    "dr.anbu: boss": ("dr.anbu: doctor", "this is expected here: 'doctor', 'radiographer' or 'admin'"),
    "Dr Anbu: doctor": ("dr.anbu: doctor", "a login has 1 to 31"),
    "titel: Erode": ("title: Erode", "'titel': there is no such entry here"),
    "to: [salem, nowhere]": ("to: [salem, karur]", "there is no branch 'nowhere'"),
    "to: [erode]}": ("to: [salem, karur]}", "'erode' cannot refer to itself"),
    "driver: bridge,": ("driver: 802.1Q,", "the network driver bridge needs `bridge`"),
    "driver: 802.1Q}": ("driver: 802.1Q, physical_device: eth1}", "needs `physical_device`"),
    "image: {}": ("image: {path: /var/tmp/gurney-appliance.qcow2}", "give exactly one of path, url and marketplace"),
    "path: folder/relative.qcow2": ("path: /var/tmp/gurney-appliance.qcow2", "an image is a path on the front end"),
    "admin: ftp://x": ("admin: sftp://front-end/srv/exchange", "the exchange is reached by an absolute path"),
    "  exchange:\n": ("  erode:\n", "is taken by Gurney itself"),
    "  Erode:\n": ("  erode:\n", "lower-case letters"),
    "community: ../kongu": ("community: kongu", "lower-case letters"),
    "apart: [[erode, sale]]\nreferrals:": ("referrals:", "there is no branch 'sale'"),
    "apart: [[erode, erode]]\nreferrals:": ("referrals:", "'erode' stands here a second time"),
    "apart: [[erode]]\nreferrals:": ("referrals:", "name two branches or more"),
    "admins: {anita: {key: age1abc}}\n    staff: {dr.anbu": (
        "staff: {dr.anbu",
        "this is no age and no SSH public key",
    ),
    "url: ftp://x": ("path: /var/tmp/gurney-appliance.qcow2", "an address begins with http:// or https://"),
    "cpu: four, memory: 8GiB": ("cpu: 4, memory: 8GiB", "a number is expected here"),
    "staff: [dr.anbu]": ("staff: {dr.anbu: doctor, r.devi: radiographer}", "entries are expected here"),
    "admins: {anita: {key: ssh-ed25519 AAAA}}\n    staff: {dr.anbu": (
        "staff: {dr.anbu",
        "no age and no SSH public key",
    ),
    "admins: {anita: {boss: true}}\n    staff: {dr.anbu": ("staff: {dr.anbu", "'boss': there is no such entry here"),
    "driver: nfs\n": ("driver: virtiofs\n", "the driver nfs needs `server`"),
    "server: 10.20.0.9\n  path: /srv": ("path: /srv", "the driver virtiofs has no server"),
    "backup: {datastore: b, at: 2:30}\nreferrals:": ("referrals:", "'2:30' is no time of day, as in 02:30"),
    "backup: {datastore: b, days: [mon, mon]}\nreferrals:": ("referrals:", "'mon' stands here a second time"),
    "backup: {datastore: b, days: []}\nreferrals:": ("referrals:", "name one day or more"),
    "backup: {datastore: b, keep_last: 0}\nreferrals:": ("referrals:", "greater than or equal to 1"),
    "datastores: {make: {storage: ceph}}": (STORES, "`ceph` says where a Ceph cluster is"),
    "datastores: {make: {storage: san}}": (STORES, "this is expected here: 'local', 'shared' or 'ceph'"),
    "datastores: {system: nfs, make: {storage: shared}}": (STORES, "give either `make`, or the names"),
    "datastores: {make: {storage: ceph, ceph: {pool: one, monitors: [], bridges: [a], secret: x}}}": (
        STORES,
        "1 or more are expected here",
    ),
    "path: /srv/../etc": ("path: /srv/exchange", "a path on the front end is absolute"),
    "path: /var/tmp/./x": ("path: /var/tmp/gurney-appliance.qcow2", "an image is a path on the front end"),
    "was: salem\n    title: Erode": ("title: Erode", "'salem' is still the name of a branch"),
}


@pytest.mark.parametrize("wrong", MISTAKES)
def test_a_mistake_is_told_with_its_place(wrong: str) -> None:
    right, words = MISTAKES[wrong]
    text = TEXT.replace(right, wrong, 1)
    assert text != TEXT
    told = problems_of(text)
    assert any(words in problem for problem in told), told
    assert not any("line 1, column 1:" in problem for problem in told)


REJECTED = {
    "memory: 8GB, disk": ("memory: 8GiB, disk", "'8GB' is no size"),
    "cpu: four, memory: 8GiB": ("cpu: 4, memory: 8GiB", "a number is expected here"),
    "cpu: -4, memory: 8GiB": ("cpu: 4, memory: 8GiB", "a number greater than 0 is expected here"),
}


@pytest.mark.parametrize("wrong", REJECTED)
def test_of_a_value_that_is_rejected_nothing_else_is_said(wrong: str) -> None:
    right, words = REJECTED[wrong]
    (problem,) = problems_of(TEXT.replace(right, wrong, 1))
    assert words in problem


def test_of_what_is_not_yaml_nothing_else_is_said() -> None:
    (problem,) = problems_of(TEXT + "\nx: [")
    assert "this is not YAML" in problem
    assert not problem.startswith("line 1,")


def test_a_private_key_in_the_wrong_place_is_not_said_again() -> None:
    text = TEXT.replace("staff: {dr.anbu", "admins: {anita: {key: AGE-SECRET-KEY-1QQ}}\n    staff: {dr.anbu", 1)
    assert "AGE-SECRET-KEY" not in "".join(problems_of(text))


def test_every_mistake_is_told_at_once() -> None:
    text = TEXT
    for wrong in ("memory: 4,", "vlan: 102", "titel: Erode", "to: [salem, nowhere]", "dr.anbu: boss", "disk: 10GiB"):
        text = text.replace(MISTAKES[wrong][0], wrong, 1)
    told = "\n".join(problems_of(text))
    for wrong in ("4 is no size", "already that of erode", "no such entry", "'nowhere'", "'doctor'", "10GiB is less"):
        assert wrong in told


def test_the_place_is_where_the_value_stands() -> None:
    text = TEXT.replace("vlan: 102", "vlan: 101")
    line = next(number for number, each in enumerate(text.splitlines(), 1) if "10.20.2.0/24" in each)
    (problem,) = problems_of(text)
    column = text.splitlines()[line - 1].index("vlan: 101") + 1
    assert problem.startswith(f"line {line}, column {column}: branches.salem.network.vlan: ")


@pytest.mark.parametrize("name", ["no", "on", "y", "off", "n1", "yes"])
def test_a_branch_may_have_a_name_that_yaml_1_1_reads_as_something_else(name: str) -> None:
    community = parse(TEXT.replace("erode", name))
    assert name in community.branches


@pytest.mark.parametrize(
    "text", ["", "[]", "a: [", "- x", "branches: 3", "\tx: 1", "a: &x [*x]", "? [a]\n: b", "%YAML"]
)
def test_what_is_no_community_is_refused_in_words(text: str) -> None:
    assert problems_of(text)


@given(text=st.text(max_size=200) | st.builds(lambda value: yaml.safe_dump(value), st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["community", "branches", "erode", "image", "exchange", "network", "cidr", "quota", "referrals", "staff"]
    ), inner, max_size=4),
    max_leaves=12,
)))  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_any_text_is_a_community_or_a_list_of_mistakes(text: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        parse(text)
    assert caught.value.problems


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "community.yaml"
    path.write_bytes(b"community: \xff")
    with pytest.raises(DeclarationError, match="not UTF-8"):
        load(path)


def test_the_schema_takes_the_example_and_refuses_what_the_model_refuses() -> None:
    schema = json_schema()
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    assert not list(validator.iter_errors(yaml.safe_load(TEXT)))
    for wrong in ("titel: Erode", "memory: 4,", "dr.anbu: boss", "community: ../kongu", "ae_title: 1234"):
        broken = yaml.safe_load(TEXT.replace(MISTAKES[wrong][0], wrong, 1))
        assert list(validator.iter_errors(broken)), wrong


def test_every_field_stands_in_the_docs_or_in_the_example() -> None:
    schema = json_schema()
    fields = {name for each in (schema, *schema["$defs"].values()) for name in each.get("properties", {})}
    told = TEXT + (EXAMPLE.parents[1] / "community.md").read_text()
    assert {name for name in fields if not re.search(rf"\b{name}\b", told)} == set()


DOCS = (EXAMPLE.parents[1] / "community.md").read_text()
SNIPPETS = [line.strip() for line in DOCS.splitlines() if re.match(r"    (\w+): [\[{\w]", line)]


@pytest.mark.parametrize("line", SNIPPETS)
def test_a_line_of_the_docs_is_right_where_it_belongs(line: str) -> None:
    """Each is put in place of what the example says; a branch's line into the first branch."""
    value = yaml.safe_load(line)
    whole = yaml.safe_load(TEXT)
    (name,) = value
    if name in whole["branches"]["erode"]:
        whole["branches"]["erode"] |= value
    elif name == "cloud":
        whole["cloud"] |= value["cloud"]
        whole["branches"] = {"erode": whole["branches"]["erode"]}
        whole["branches"]["erode"]["network"]["bridge"] = "br101"
        del whole["referrals"]
    elif name != "admins":
        whole |= value
    if name == "backup":
        whole["exchange"] |= {"driver": "nfs", "server": "10.20.0.9"}
    assert parse(yaml.safe_dump(whole)).branches


def test_an_image_without_a_folder_lies_where_opennebula_may_read() -> None:
    text = TEXT.replace("/var/tmp/gurney-appliance.qcow2", "gurney-appliance.qcow2")
    assert "path: gurney-appliance.qcow2" in text
    assert parse(text).image.source == "/var/tmp/gurney-appliance.qcow2" == load(EXAMPLE).image.source
