"""Profiles and the QEMU command."""

from __future__ import annotations

from pathlib import Path

import pytest

from unikit.errors import ExitCode, UserError
from unikit.vm import machine
from unikit.vm.machine import Forward, Guest


def guest(profile: str = "microvm", **options: object) -> list[str]:
    values: dict[str, object] = {
        "image": Path("/i.img"), "machine": machine.load(profile), "memory": 64, "accelerator": "tcg", "append": "",
        "console": 3, "serial": 4, "report": 5,
    }  # fmt: skip
    return machine.command("qemu", Guest(**(values | options)))  # type: ignore[arg-type]


def values(line: list[str], option: str) -> list[str]:
    return [line[i + 1] for i, word in enumerate(line) if word == option]


def test_the_profiles() -> None:
    assert machine.names()[0] == "microvm" and {"q35", "pc"} <= set(machine.names())
    for name in machine.names():
        assert machine.load(name).summary
    with pytest.raises(UserError, match="no machine profile 'vax'") as error:
        machine.load("vax")
    assert error.value.code == ExitCode.CONFIGURATION and "microvm" in str(error.value.hint)


def test_what_every_guest_has() -> None:
    for profile in machine.names():
        line = guest(profile)
        assert values(line, "-kernel") == ["/i.img"] and values(line, "-m") == ["64M"]
        assert values(line, "-smp") == ["1"] and values(line, "-cpu") == ["max"] and "-no-reboot" in line
        assert values(line, "-chardev") == [
            "socket,id=serial,fd=4", "socket,id=console,fd=3", "socket,id=report,fd=5",
        ]  # fmt: skip
        assert "-append" not in line
        devices = values(line, "-device")
        assert "virtserialport,chardev=report,name=unikit.report" in devices
        assert "isa-debug-exit,iobase=0xf4,iosize=0x4" in devices


def test_the_transport_is_the_profiles() -> None:
    assert "virtio-rng-device,rng=rng" in values(guest("microvm"), "-device")
    assert "virtio-rng-pci,rng=rng,disable-legacy=on" in values(guest("q35"), "-device")
    assert "virtio-net-pci,netdev=net,romfile=,disable-legacy=on" in values(guest("pc"), "-device")


def test_forwards() -> None:
    line = guest(forwards=(Forward(8080, 80), Forward(53, 5353, "127.0.0.2", "udp")))
    assert values(line, "-netdev") == ["user,id=net,hostfwd=tcp:127.0.0.1:8080-:80,hostfwd=udp:127.0.0.2:53-:5353"]


def test_no_network() -> None:
    line = guest(network=False)
    assert "-netdev" not in line and not any("net" in device for device in values(line, "-device"))


def test_boot_tokens_are_percent_encoded() -> None:
    text = machine.encode([("env", "A=b c%"), ("arg", ""), ("arg", "ä\n"), ("arg", '"x"')])
    assert text == 'env=A=b%20c%25 arg= arg=%C3%A4%0A arg="x"'
    assert values(guest(append=text), "-append") == [text]


def test_further_options_come_last() -> None:
    assert guest(extra=("-d", "int"))[-2:] == ["-d", "int"]
