"""Writes a folder that a benchmark can boot without unikit: an image an application, and a script that starts QEMU.

    python benchmarks/make_system.py OUT hello=hello.py web=web.py flask=flaskapp.py [--python PYTHON] [--freeze]
        [--warm COMMAND] [--compress zstd]

With --freeze the images are frozen, and guests share their memory (`--alone`: each loads its own copy).

`OUT/boot` reads APP (one of the names), MEM (MiB), PORT (on 127.0.0.1, leads to the guest's 8080) and EXTRA (more
arguments of QEMU) from its environment and becomes QEMU, the guest's console on standard output. `OUT/files` lists what
has to be shipped for APP=web (or the first application), a path a line.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
from pathlib import Path

from unikit import pipeline, progress
from unikit.image import image
from unikit.image.image import Image
from unikit.kernel.runtime import DECODERS
from unikit.vm import machine, qemu, shared
from unikit.vm.boot import TCG_ENVIRONMENT

LARGEST = 8192  # MiB that a guest may be given

SCRIPT = """#!/bin/sh
# Boots the image of $APP on QEMU's {machine}: serial console on standard output, no other devices than the network.
D=${{0%/*}} # starting another program would be measured as well
APP=${{APP:-{default}}}
case $APP in
{networks}
    *) NET= ;;
esac
export GLIBC_TUNABLES={tunables}
exec qemu-system-x86_64 -machine {options} -accel tcg -cpu max -smp 1 -m "${{MEM:-512}}" \\
    -nodefaults -no-user-config -display none -no-reboot -serial stdio \\
    -device isa-debug-exit,iobase={port:#x},iosize=0x4 \\
    {kernel} -append {append} $NET $EXTRA
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("apps", nargs="+", metavar="NAME=APP")
    parser.add_argument("--python", help="the interpreter with the applications' packages")
    parser.add_argument("--compress", choices=[*DECODERS], nargs="?", const="zstd", help="compressed images")
    parser.add_argument("--machine", default=machine.DEFAULT)
    parser.add_argument("--freeze", action="store_true", help="frozen images")
    parser.add_argument("--warm", metavar="COMMAND", help="frozen after it has driven the applications that listen")
    parser.add_argument("--alone", action="store_true", help="frozen images that each guest loads by itself")
    options = parser.parse_args()
    shown = progress.choose()
    options.out.mkdir(parents=True, exist_ok=True)
    images: dict[str, Image] = {}
    for text in options.apps:
        name, _, app = text.partition("=")
        freeze = options.freeze or options.alone or None
        request = pipeline.Request(app, options.python, freeze=freeze, compress=options.compress, warm=options.warm)
        made = pipeline.image_of(request, shown)
        target = options.out / f"{name}.img"
        shutil.copyfile(made.path, target)
        images[name] = image.read(target)
        if options.freeze:
            _share(images[name], options.out, name)
    default = "web" if "web" in images else next(iter(images))
    script = options.out / "boot"
    script.write_text(_script(machine.load(options.machine), images, default, shared=options.freeze))
    script.chmod(0o755)
    (options.out / "files").write_text(f"{(options.out / default).resolve()}.img\n")
    for name, made in images.items():
        print(f"{name}: {made.path.stat().st_size / (1 << 20):.1f} MiB")


def _share(made: Image, out: Path, name: str) -> None:
    """What `unikit run` makes of a frozen image before it boots it: not shipped, but made where it runs."""
    found = shared.prepare(made, LARGEST)
    shutil.copyfile(found.entry, out / f"{name}.elf")
    subprocess.run(["cp", "--sparse=always", str(found.memory), str(out / f"{name}.mem")], check=True)


def _script(profile: machine.Machine, images: dict[str, Image], default: str, *, shared: bool) -> str:
    backend = "memory-backend-file,id=ram,size=${MEM:-512}M,mem-path=$D/$APP.mem,share=off"
    memory = f'-object "{backend}" -machine memory-backend=ram -kernel "$D/$APP.elf"'
    rom = ("romfile=",) if profile.transport == "pci" else ()
    device = profile.virtio("net", "netdev=net", *rom)
    forward = "hostfwd=tcp:127.0.0.1:${PORT:-18080}-:8080"
    net = f'NET="-netdev user,id=net,{forward} -device {device}"'
    environment = [("env", f"{key}={value}") for key, value in TCG_ENVIRONMENT.items()]
    with_network = [name for name, made in images.items() if made.manifest.network]
    return SCRIPT.format(
        machine=profile.name,
        default=default,
        networks=f"    {'|'.join(with_network)}) {net} ;;" if with_network else "    '') ;;",
        options=profile.machine,
        tunables=qemu.TUNABLES,
        kernel=memory if shared else '-kernel "$D/$APP.img"',
        port=machine.EXIT_PORT,
        append=shlex.quote(machine.encode([*environment, machine.USER_ADDRESS])),
    )


if __name__ == "__main__":
    main()
