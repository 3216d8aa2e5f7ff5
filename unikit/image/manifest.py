"""What an image says about itself: the JSON in its section `.unikit.manifest`."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

from unikit.errors import ExitCode, UserError

FORMAT = 1


@dataclass(frozen=True)
class Manifest:
    """Build ids are hexadecimal; `libraries` maps guest paths to (build id, or `sha256-` and the file's hash)."""

    unikit: str  # the version that made it
    name: str
    entry: str
    interpreter: str  # `CPython 3.11.2, glibc 2.36`
    ports: tuple[int, ...]
    memory: int  # MiB that the guest gets unless the user says otherwise
    kernel_build_id: str
    libraries: tuple[tuple[str, str], ...]
    components: tuple[str, ...]
    kernel_sha256: str  # over the kernel's loaded segments, in their order
    root_sha256: str
    network: bool  # the application can use a network device
    frozen: str = ""  # the CPU level that a frozen image wants; empty: it is not frozen
    smallest: int = 0  # MiB that the guest needs at least; 0: its file's size and a little more
    compression: str = ""  # of the loaded segments: "zstd", "lz4" or none
    loaded_sha256: str = ""  # over the file's loaded segments, where these are compressed
    uncalled: tuple[str, ...] = ()  # system calls that are left out because a traced run did not make them
    format: int = FORMAT

    def dump(self) -> bytes:
        """The manifest as JSON, the same bytes for the same values."""
        value = dataclasses.asdict(self)
        value["libraries"] = dict(self.libraries)
        return json.dumps(value, sort_keys=True, indent=1).encode()

    @staticmethod
    def load(text: bytes) -> Manifest:
        """Raises UserError (IMAGE) if it is not a manifest of a format that is understood."""
        try:
            value = json.loads(text)
            if value["format"] > FORMAT:
                raise UserError(
                    f"The image has format {value['format']}; this unikit ({FORMAT}) is too old for it.",
                    code=ExitCode.IMAGE,
                    hint="Run it with the unikit that made it, or build it again.",
                )
            fields = {
                field.name: value[field.name]
                for field in dataclasses.fields(Manifest)
                if field.default is dataclasses.MISSING or field.name in value
            }
            fields["libraries"] = tuple(sorted(value["libraries"].items()))
            for name in ("ports", "components", "uncalled"):
                fields[name] = tuple(value.get(name, ()))
            return Manifest(**fields)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError("The image's manifest is damaged.", code=ExitCode.IMAGE) from error
