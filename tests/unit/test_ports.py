"""`-p`, and ports that are taken."""

from __future__ import annotations

import socket

import pytest

from unikit.errors import ExitCode, UserError
from unikit.vm import ports
from unikit.vm.machine import Forward


@pytest.mark.parametrize(
    ("text", "forward"),
    [
        ("8080:80", Forward(8080, 80)),
        ("8080", Forward(8080, 8080)),
        ("0:80", Forward(0, 80)),
        ("0.0.0.0:1:2", Forward(1, 2, "0.0.0.0")),
        ("5:6/udp", Forward(5, 6, protocol="udp")),
    ],
)
def test_forms(text: str, forward: Forward) -> None:
    assert ports.parse(text) == forward


@pytest.mark.parametrize("text", ["", "x", "1:2:3:4", "70000:1", "1:0", "0", "1:2/sctp", "-1:2"])
def test_nonsense(text: str) -> None:
    with pytest.raises(UserError, match="is no port") as error:
        ports.parse(text)
    assert error.value.code == ExitCode.USAGE


def test_a_taken_port_is_told_before_anything_starts() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UserError, match=f"Port {port} of 127.0.0.1 cannot be used") as error:
            ports.claim([Forward(port, 80)])
        assert error.value.code == ExitCode.PORT_TAKEN and "-p 0:80" in str(error.value.hint)


def test_port_0_becomes_a_free_one() -> None:
    one, two = ports.claim([Forward(0, 80), Forward(0, 53, protocol="udp")])
    assert one.host and two.host and two.protocol == "udp"
