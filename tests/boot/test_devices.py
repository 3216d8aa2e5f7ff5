"""Devices wherever a machine puts them: each way in which QEMU offers virtio, and each way to switch it off.

The guest gets an address by DHCP and has data echoed over TCP by `cat` at the other end of user-mode networking, so
frames went both ways through the card in question.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests import images
from unikit.vm.qemu import find_qemu

APP = Path(__file__).resolve().parent / "devices/address.py"
EXIT = "-device isa-debug-exit,iobase=0xf4,iosize=4"
MMIO = "-device virtio-net-device,netdev=net -device virtio-rng-device"
MODERN = "-global virtio-mmio.force-legacy=false"
PCI = "-device virtio-net-pci,netdev=net,romfile={} -device virtio-rng-pci{}"
NO_CPU_RANDOM = "max,-rdrand,-rdseed"  # what the host's device gives is all there is

# name: machine, CPU, devices
WAYS = {
    "mmio by ACPI": ("microvm,acpi=on", "max", MMIO),
    "mmio by ACPI, virtio 1.0": ("microvm,acpi=on", "max", f"{MODERN} {MMIO}"),
    "mmio by the command line": ("microvm,acpi=off", "max", MMIO),
    "mmio by the command line, virtio 1.0": ("microvm,acpi=off", "max", f"{MODERN} {MMIO}"),
    "mmio in other slots": (
        "microvm,acpi=on",
        NO_CPU_RANDOM,
        "-device virtio-net-device,netdev=net,bus=virtio-mmio-bus.2 -device virtio-rng-device,bus=virtio-mmio-bus.7",
    ),
    "mmio without event indices": (
        "microvm",
        "max",
        "-device virtio-net-device,netdev=net,event_idx=off,indirect_desc=off -device virtio-rng-device",
    ),
    "one buffer for each frame": ("microvm", "max", f"{MODERN} -device virtio-net-device,netdev=net,mrg_rxbuf=off"),
    "old, one buffer for each frame": ("microvm", "max", "-device virtio-net-device,netdev=net,mrg_rxbuf=off"),
    "pc": ("pc", "max", PCI.format("", "")),
    "q35": ("q35", "max", PCI.format("", "")),
    "no MSI-X on pc": ("pc", NO_CPU_RANDOM, PCI.format(",vectors=0", ",vectors=0")),
    "no MSI-X on q35": ("q35", NO_CPU_RANDOM, PCI.format(",vectors=0", ",vectors=0")),
    "one vector for everything": ("q35", NO_CPU_RANDOM, PCI.format(",vectors=1", ",vectors=1")),
    "not transitional": ("q35", NO_CPU_RANDOM, PCI.format(",disable-legacy=on", ",disable-legacy=on")),
    "behind a bridge": (
        "pc",
        NO_CPU_RANDOM,
        "-device pci-bridge,id=b,chassis_nr=1 " + PCI.format(",bus=b,addr=3", ",bus=b,addr=4"),
    ),
    "behind root ports and a bridge": (
        "q35",
        NO_CPU_RANDOM,
        "-device pcie-root-port,id=p1,chassis=1 -device pcie-root-port,id=p2,chassis=2 "
        "-device pcie-pci-bridge,id=b,bus=p1 " + PCI.format(",bus=p2", ",bus=b,addr=3"),
    ),
}


def boot(machine: str, cpu: str, devices: str, memory: int = 96, off: str = EXIT) -> tuple[int, str]:
    """QEMU's exit status and the console."""
    image = images.build(APP)
    command = [
        find_qemu(), "-M", machine, "-accel", "tcg", "-cpu", cpu, "-m", str(memory), "-kernel", str(image.path),
        "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio",
        "-netdev", "user,id=net,guestfwd=tcp:10.0.2.100:7-cmd:cat", *devices.split(), *off.split(),
    ]  # fmt: skip
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout.replace("\r\n", "\n") + done.stderr


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_a_device(way: str) -> None:
    status, console = boot(*WAYS[way])
    assert "address 10.0.2.15\nechoed\n" in console, console
    assert status == 1, console


@pytest.mark.parametrize(
    ("machine", "devices"),
    [
        ("microvm,acpi=on", MMIO),
        ("microvm,acpi=off", MMIO),
        ("pc", PCI.format("", "")),
        ("q35", PCI.format("", "")),
    ],
)
def test_the_machine_goes_off_without_the_exit_device(machine: str, devices: str) -> None:
    status, console = boot(machine, "max", devices, off="")
    assert "echoed\n" in console and status == 0, console


def test_no_source_of_randomness_is_said() -> None:
    status, console = boot("microvm", NO_CPU_RANDOM, "-device virtio-net-device,netdev=net")
    assert "virtio-rng" in console and "echoed" not in console
    assert status == 2 * 78 % 128 + 1 or status == 2 * 78 + 1, console
