"""The bill of materials of an image: CycloneDX 1.6, made by its own library.

Components are the installed distributions, Debian's packages with the shared libraries that they brought, CPython, the
runtime with its components, and what is compiled in of others (lwIP, the decoder of a compressed image); what depends
on what is the graph's edges between them. The same image gives the same bytes: the serial number is derived from the
image, and the time is SOURCE_DATE_EPOCH's or left out.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections import defaultdict
from datetime import datetime, timezone

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.dependency import Dependency
from cyclonedx.model.license import DisjunctiveLicense, License, LicenseExpression
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.spdx import fixup_id, is_expression
from packageurl import PackageURL

from unikit import __version__, inputs
from unikit.image.inventory import GROUPS, Item
from unikit.questions.subject import Subject

APP, CPYTHON, RUNTIME = "app", "cpython", "runtime"  # what has no owner in the graph belongs to one of these
NAMESPACE = uuid.UUID("6f2c0f1e-6a0b-5d1c-9c3b-0d6a5b7e4f10")


def make(subject: Subject) -> str:
    """The document as JSON."""
    return _Maker(subject).run()


class _Maker:
    def __init__(self, subject: Subject) -> None:
        self.subject, self.inventory = subject, subject.inventory
        self.manifest = subject.image.manifest
        self.members: dict[str, list[Item]] = defaultdict(list)
        for item in self.inventory.items():
            if item.kind not in ("missing", *GROUPS):
                self.members[_owner(item)].append(item)
        self.owners = sorted(self.members)

    def run(self) -> str:
        made = {owner: self._component(owner) for owner in self.owners if owner != APP}
        identity = f"{self.manifest.kernel_sha256} {self.manifest.root_sha256}"
        tool = Component(type=ComponentType.APPLICATION, name="unikit", version=__version__)
        app = self._app()
        bom = Bom(
            serial_number=uuid.uuid5(NAMESPACE, identity),
            metadata=BomMetaData(component=app, timestamp=_time()),
            components=made.values(),
            dependencies=self._dependencies({**made, APP: app}),
        )
        bom.metadata.tools.components.add(tool)
        text = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string()
        value = json.loads(text)
        if inputs.source_date() is None:
            del value["metadata"]["timestamp"]
        return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"

    def _app(self) -> Component:
        image = hashlib.sha256(self.subject.image.path.read_bytes()).hexdigest()
        return Component(
            type=ComponentType.APPLICATION,
            name=self.manifest.name,
            bom_ref=APP,
            hashes=[_sha256(image)],
            properties=_properties(
                {"entry": self.manifest.entry, "interpreter": self.manifest.interpreter, "size": self.subject.size}
            ),
        )

    def _component(self, owner: str) -> Component:
        if owner == CPYTHON:
            return self._cpython()
        if owner == RUNTIME:
            return self._runtime()
        item = self.inventory[owner]
        version = str(item.detail.get("version", "")) or None
        part = Component(
            name=item.name,
            version=version,
            bom_ref=owner,
            licenses=_licences(str(item.detail.get("licence", ""))),
            properties=self._facts(owner),
            components=self._files(owner),
        )
        if item.kind == "distribution":
            part.purl = PackageURL("pypi", None, item.name, version)
            part.hashes = self._hash(owner)
        elif item.kind == "package":
            source, vendor = item.detail.get("source", item.name), item.detail.get("vendor", "debian")
            qualifiers = {"arch": item.detail.get("architecture", "")}
            qualifiers |= {"upstream": source} if source != item.name else {}
            part.purl = PackageURL("deb", vendor, item.name, version, qualifiers)
        else:
            part.purl = PackageURL("generic", None, item.name, version)
            part.cpe = f"cpe:2.3:a:{item.detail['cpe']}:{version}:*:*:*:*:*:*:*" if "cpe" in item.detail else None
        return part

    def _cpython(self) -> Component:
        match = re.match(r"CPython ([\d.]+)", self.manifest.interpreter)
        version = match[1] if match else None
        return Component(
            type=ComponentType.PLATFORM,
            name="cpython",
            version=version,
            bom_ref=CPYTHON,
            licenses=_licences("PSF-2.0"),
            purl=PackageURL("generic", None, "cpython", version),
            cpe=f"cpe:2.3:a:python:python:{version}:*:*:*:*:*:*:*",
            hashes=self._hash(CPYTHON),
            properties=self._facts(CPYTHON),
            components=self._files(CPYTHON),
        )

    def _runtime(self) -> Component:
        parts = [
            Component(name=i.name, bom_ref=i.id, properties=_properties({"size": i.size}))
            for i in self.members[RUNTIME]
            if i.kind == "component"
        ]
        return Component(
            type=ComponentType.OPERATING_SYSTEM,
            name="unikit-runtime",
            version=self.manifest.unikit,
            bom_ref=RUNTIME,
            hashes=[_sha256(self.manifest.kernel_sha256)],
            properties=_properties({"build-id": self.manifest.kernel_build_id}),
            components=parts,
        )

    def _files(self, owner: str) -> list[Component]:
        """The ELF files of an owner, each with its hash."""
        return [
            Component(
                type=ComponentType.FILE,
                name=item.name,
                bom_ref=item.id,
                hashes=[_sha256(hashlib.sha256(self.subject.files[item.name].content).hexdigest())],
                properties=_properties({"build-id": item.detail.get("build_id", "")}),
            )
            for item in self.members[owner]
            if item.kind == "library"
        ]

    def _hash(self, owner: str) -> list[HashType]:
        """Over what is kept of it: SHA-256 of the lines `SHA256  PATH` of its files, sorted by path."""
        paths = sorted({path for item in self.members[owner] for path in item.files})
        lines = [f"{hashlib.sha256(self.subject.files[path].content).hexdigest()}  {path}\n" for path in paths]
        return [_sha256(hashlib.sha256("".join(lines).encode()).hexdigest())]

    def _facts(self, owner: str) -> list[Property]:
        items = self.members[owner]
        modules = sum(item.kind == "module" for item in items)
        return _properties({"size": sum(item.size for item in items), "modules": modules or ""})

    def _dependencies(self, made: dict[str, Component]) -> list[Dependency]:
        needs: dict[str, set[str]] = {owner: set() for owner in made}
        graph = self.inventory.graph
        for tail, head in graph.edges:
            a, b = _owner(self.inventory[tail]), _owner(self.inventory[head])
            if a != b and a in made and b in made and b != APP and not head.startswith("missing:"):
                needs[a].add(b)
        return [
            Dependency(made[owner].bom_ref, [Dependency(made[other].bom_ref) for other in sorted(others)])
            for owner, others in sorted(needs.items())
        ]


def _owner(item: Item) -> str:
    if item.owner:
        return item.owner
    if item.kind in GROUPS:
        return item.id
    if item.kind in ("component", "driver", "call"):
        return RUNTIME
    return CPYTHON if item.layer == "interpreter" or item.kind == "library" else APP


def _licences(text: str) -> list[License]:
    """An SPDX id or expression where it is one, else the words as they are."""
    if not text:
        return []
    known = fixup_id(text)
    if known is not None:
        return [DisjunctiveLicense(id=known)]
    return [LicenseExpression(text) if is_expression(text) else DisjunctiveLicense(name=text)]


def _sha256(content: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=content)


def _properties(values: dict[str, object]) -> list[Property]:
    return [Property(name=f"unikit:{key}", value=str(value)) for key, value in values.items() if value != ""]


def _time() -> datetime:
    return datetime.fromtimestamp(inputs.source_date() or 0, timezone.utc)
