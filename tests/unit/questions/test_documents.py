"""The bill of materials, the audit, the difference and the page of an image."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.unit.stages import elves
from unikit.image import compressed, unpacker
from unikit.image.inventory import Inventory
from unikit.model import Edge, EdgeKind
from unikit.questions import absence, audit, diff, page, sbom, secrets, sizes, ways
from unikit.questions.subject import Subject, of_image
from unikit.vm.machine import Volume

from .conftest import BOOT_CONF, EDGES, ITEMS, PROGRAM, build, image_of


def test_sizes_are_the_images_file_byte_for_byte(subject: Subject) -> None:
    whole = sizes.measure(subject)
    assert whole.size == subject.size == subject.image.path.stat().st_size
    shop = whole.parts["dependencies"].parts["shop 2.0"]
    assert {"cart", "__init__"} <= set(shop.parts) and shop.parts["cart"].node == "module:shop.cart"
    assert whole.parts["dependencies"].parts["libshop3 3.1-1"].size == len(subject.files["/lib/libshop.so.3"].content)
    assert {"vfs", "virtio", "lwip"} <= set(whole.parts["kernel"].parts)


@pytest.mark.parametrize("gap", [0, unpacker.ROOM])  # the root is compressed together with the kernel, or for itself
def test_the_sizes_of_a_compressed_image_are_those_of_what_it_unpacks_to(
    inventory: Inventory, tmp_path: Path, gap: int
) -> None:
    subject = image_of(tmp_path / "image", inventory, {}, gap=gap)
    packed = of_image(compressed.compress(subject.image, "zstd"), "packed")
    plain, unpacked = sizes.measure(subject), sizes.measure(packed)
    for layer in ("app", "dependencies", "interpreter", "file system"):
        assert unpacked.parts[layer].size == plain.parts[layer].size
    assert unpacked.parts["kernel"].size > 0 and packed.size == packed.image.path.stat().st_size
    assert unpacked.size == packed.sections.whole + unpacked.parts["unpacker"].size
    assert {"entry", "start", "zstd"} <= set(unpacked.parts["unpacker"].parts)
    assert "unpacker" not in plain.parts


def test_the_decoder_of_a_compressed_image_is_in_the_answers(inventory: Inventory, tmp_path: Path) -> None:
    packed = of_image(compressed.compress(image_of(tmp_path / "image", inventory, {}).image, "lz4"), "packed")
    value = json.loads(sbom.make(packed))
    parts = {part["bom-ref"]: part for part in value["components"]}
    assert parts["lz4"]["version"] and parts["lz4"]["licenses"] and "lz4_project:lz4" in parts["lz4"]["cpe"]
    assert {"component:unpack/start", "component:unpack/memory/string"} <= {
        c["bom-ref"] for c in parts["runtime"]["components"]
    }
    assert "lz4" in {d["ref"]: d.get("dependsOn", []) for d in value["dependencies"]}["runtime"]
    (way,) = ways.shortest(packed.inventory, "lz4")
    assert [step.head for step in way][-1] == "lz4"
    assert ("the image is compressed (lz4)",) in [step.evidence for step in way]


def test_the_bill_of_materials_fits_its_schema(subject: Subject) -> None:
    text = sbom.make(subject)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert sbom.make(subject) == text
    value = json.loads(text)
    parts = {part["bom-ref"]: part for part in value["components"]}
    assert parts["distribution:shop"]["purl"] == "pkg:pypi/shop@2.0"
    assert parts["distribution:shop"]["licenses"] == [{"license": {"id": "MIT"}}]
    assert len(parts["distribution:shop"]["hashes"][0]["content"]) == 64
    deb = parts["package:libshop3"]
    assert deb["purl"] == "pkg:deb/debian/libshop3@3.1-1?arch=amd64&upstream=shoplib"
    assert deb["components"][0]["name"] == "/lib/libshop.so.3" and deb["components"][0]["hashes"]
    assert parts["cpython"]["version"] == "3.11.2" and parts["lwip"]["version"] == "2.1.3"
    assert {"component:vfs/pipe", "component:virtio/net"} <= {c["bom-ref"] for c in parts["runtime"]["components"]}
    needs = {d["ref"]: d.get("dependsOn", []) for d in value["dependencies"]}
    assert needs["app"] == ["cpython", "distribution:shop"]
    assert needs["distribution:shop"] == ["cpython", "package:libshop3"]
    assert "lwip" in needs["runtime"] and "timestamp" not in value["metadata"]


def test_the_bill_takes_its_time_from_the_environment(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert json.loads(sbom.make(subject))["metadata"]["timestamp"].startswith("1970-01-02")


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        (".env", b"DEBUG=1\n", "a file of that name"),
        ("keys/id_ed25519", b"x", "a file of that name"),
        ("key.pem", b"-----BEGIN PRIVATE KEY-----\n" + b"MIIEvQIBADANBgkqhkiG9w0BAQEFAASC" * 4, "a private key"),
        ("conf.py", b"x = 1\nKEY = 'AKIA" + b"ABCDEFGHIJKLMNOP'", "an AWS access key"),
        ("conf.py", b"DB = 'postgres://me:" + b"hunter22@db/x'", "a password in a URL"),
        ("conf.py", b"SECRET_KEY = '" + b"k3jh5kj34h5kj3h45'", "a secret in an assignment"),
        ("conf.json", b'{"password": "' + b'k3jh5kj34h5kj3h45"}', "a secret in an assignment"),
    ],
)
def test_what_looks_like_a_secret(inventory: Inventory, tmp_path: Path, name: str, content: bytes, what: str) -> None:
    subject = image_of(tmp_path / "image", inventory, {f"/app/{name}": content})
    (found,) = secrets.suspects(subject.files)
    assert (found.path, found.what) == (f"/app/{name}", what)
    assert found.line == (2 if what == "an AWS access key" else 0 if "name" in what else 1)
    assert next(f.where for f in audit.make(subject).findings if f.level == "high").startswith(f"/app/{name}")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (".env.example", b"TOKEN=\n"),
        ("main.py", b"password = input('password: ')\nsecret_key = os.environ['SECRET_KEY']\n"),
        ("main.py", b"url = f'postgres://{user}:{password}@{host}/db'\npassword = 'changeme-please'\n"),
        ("main.py", b"# -----BEGIN PRIVATE KEY----- starts a key\n"),
        ("cert.pem", b"-----BEGIN CERTIFICATE-----\nMIID\n-----END CERTIFICATE-----\n"),
        ("data.bin", b"\0\0AKIAABCDEFGHIJKLMNOP"),
    ],
)
def test_what_does_not(inventory: Inventory, tmp_path: Path, name: str, content: bytes) -> None:
    assert secrets.suspects(image_of(tmp_path / "image", inventory, {f"/app/{name}": content}).files) == []


def test_the_audit_of_an_image(inventory: Inventory, tmp_path: Path) -> None:
    library = elves.shared(soname="libshop.so.3")
    bundle = b"-----BEGIN CERTIFICATE-----\nMIID\n" * 3
    files = {"/lib/libshop.so.3": library, audit.BUNDLE: bundle}
    found = audit.make(image_of(tmp_path / "image", inventory, files))
    assert [file.path for file in found.executables] == ["/lib/libshop.so.3"]
    assert found.write_xor_execute and found.network and found.ports == (80,)
    assert found.drivers == (("virtio_net", "virtio:1"),) and found.certificates == 3
    assert found.calls.offered == ("pipe2",) and found.calls.reachable is None  # the originals are nowhere
    assert found.program == ("python3", "/.unikit/main.pyc") and found.folders == ("/tmp",)
    assert found.environment == (("HOME", "/root"), ("API_TOKEN", "(hidden)"))
    assert [f.what for f in found.findings] == ["the environment variable API_TOKEN is in the image"]
    json.dumps(audit.jsonable(found))


def test_the_audit_tells_of_facilities_and_settings(tmp_path: Path) -> None:
    ctypes = replace(ITEMS[1], id="module:_ctypes", files=())
    edge = ("module:shop", "module:_ctypes", Edge(EdgeKind.IMPORTS, evidence=("shop/__init__.py:7",)))
    subject = image_of(tmp_path / "image", build((*ITEMS, ctypes), (*EDGES, edge)), {}, BOOT_CONF + "wx=allow\n")
    found = audit.make(subject)
    assert not found.write_xor_execute
    told = {finding.where: finding.level for finding in found.findings}
    assert told["shop/__init__.py:7"] == "medium" and told["writable_code in [tool.unikit]"] == "medium"
    text = page.fill("audit", title="Audit", audit=found)
    assert "ctypes calls any function" in text


def test_the_audit_is_told_of_what_the_run_brings(inventory: Inventory, tmp_path: Path) -> None:
    folders = [Volume(tmp_path, "/data"), Volume(tmp_path, "/x/shop", read_only=True)]
    plain = image_of(tmp_path / "image", inventory, {})
    found = audit.make(plain, folders[:1], ["app.lock names old.module, which is no longer there"])
    assert any(w.startswith("/data (kept") for w in found.writable) and not found.volumes
    levels = {f.where: f.what for f in found.findings if f.level == "medium"}
    assert (
        "no driver for folders of the host" in levels[f"-v {tmp_path}:/data"] and "old.module" in levels["unikit.lock"]
    )

    driver = replace(next(item for item in ITEMS if item.id == "driver:virtio_net"), id="driver:virtio_9p")
    able = audit.make(image_of(tmp_path / "able", build((*ITEMS, driver), EDGES), {}), folders)
    assert able.volumes and "/x/shop" not in " ".join(able.writable)
    (hidden,) = [f.what for f in able.findings if f.where.endswith(":/x/shop")]
    assert "hides /x/shop/" in hidden and not any(f.where.endswith(":/data") for f in able.findings)


def test_equal_images_do_not_differ(subject: Subject) -> None:
    assert diff.images(subject, subject).nothing


def test_the_difference_of_two_images(subject: Subject, tmp_path: Path) -> None:
    def change(item: object) -> object:
        match item.id:  # type: ignore[attr-defined]
            case "distribution:shop":
                return replace(item, detail={"version": "2.1"})  # type: ignore[type-var]
            case "component:vfs/pipe":
                return replace(item, size=350)  # type: ignore[type-var]
        return item

    items = tuple(change(item) for item in ITEMS if item.id != "missing:winreg")
    extra = replace(ITEMS[5], id="module:shop.pay", files=("/x/shop/pay.pyc",))
    edges = tuple(edge for edge in EDGES if edge[1] != "missing:winreg")
    edges += (("module:shop", "module:shop.pay", Edge(EdgeKind.IMPORTS)),)
    new = image_of(tmp_path / "new", build((*items, extra), edges), {"/app/app.py": b"other words"})  # type: ignore[arg-type]
    found = diff.images(subject, new)
    size = len(new.files["/x/shop/pay.pyc"].content)
    assert [(c.name, c.before, c.after) for c in found.came["module"]] == [("shop.pay", None, size)]
    assert [c.name for c in found.went["missing"]] == ["winreg"]
    (shop,) = found.changed["distribution"]
    assert shop.what == ("2.0 -> 2.1", "licence MIT -> ") and shop.growth == size
    assert [(c.name, c.growth) for c in found.changed["component"]] == [("vfs/pipe", 50)]
    assert [(c.name, c.what) for c in found.changed["module"]] == [("__main__", ("other content",))]
    totals = {name: after - before for name, before, after in found.totals}
    assert totals["dependencies"] == size and totals["kernel"] == 50
    assert json.loads(json.dumps(diff.jsonable(found)))["came"]["module"][0]["name"] == "shop.pay"


def test_lists_of_names_differ() -> None:
    found = diff.names({"modules": ["a", "b"]}, {"modules": ["b", "c"], "calls": ["read"]})
    assert [c.name for c in found.came["modules"]] == ["c"] and [c.name for c in found.went["modules"]] == ["a"]
    assert [c.name for c in found.came["calls"]] == ["read"]


class Outside(HTMLParser):
    """Collects what a page would load from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [v for k, v in attrs if k in ("src", "href") and v and not v.startswith(("#", "data:"))]


def test_a_page_needs_nothing_from_elsewhere_and_ends_no_script(inventory: Inventory, tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script>"
    inventory.graph.add_edge("module:shop", "module:shop.cart", edge=Edge(EdgeKind.IMPORTS, evidence=(evil,)))
    text = page.render(image_of(tmp_path / "image", inventory, {}))
    outside = Outside()
    outside.feed(text)
    assert outside.found == [] and evil not in text and text.count("</script>") == 2
    data = json.loads(text.partition('id="data">')[2].partition("</script>")[0])
    assert [evil] in [edge[3:] for edge in data["edges"]]
    program = next(i for i, node in enumerate(data["nodes"]) if node[0] == PROGRAM)
    assert data["nodes"][program][5] == next(i for i, n in enumerate(data["nodes"]) if n[0] == "module:__main__")


LOCK = """format = 1

[shop]
calls = ["read", "write"]
commands = ["curl x"]
entry = "main.py"
files = []
modules = ["json", "shop"]
python = "3.11"
"""


def test_lock_files_differ_by_name(tmp_path: Path) -> None:
    old, new = tmp_path / "old.lock", tmp_path / "unikit.lock"
    old.write_text(LOCK)
    new.write_text(LOCK.replace('"json", ', '"csv", "re", ').replace('"write"', '"writev"'))
    found = diff.locks(old, new)
    assert [c.name for c in found.came["shop: modules"]] == ["csv", "re"]
    assert [c.name for c in found.went["shop: modules"]] == ["json"]
    assert [c.name for c in found.came["shop: calls"]] == ["writev"]
    assert diff.locks(old, old).nothing and diff.is_lock(new) and not diff.is_lock(tmp_path / "nothing")


def test_what_a_traced_run_did_is_known_to_the_image(inventory: Inventory, tmp_path: Path) -> None:
    traced = replace(inventory, mode="traced", traced=("pipe2", "read"))
    subject = image_of(tmp_path / "image", traced, {})
    assert subject.inventory.mode == "traced" and audit.make(subject).calls.traced == ("pipe2", "read")
    assert "the traced run did not use it" in absence.explain(subject.inventory, "numpy")
    assert audit.make(image_of(tmp_path / "other", inventory, {})).calls.traced is None
