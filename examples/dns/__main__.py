"""An authoritative DNS server: the records of zone.txt, over UDP and TCP (RFC 1035), on dnslib and asyncio.

ZONE names another zone file, in the image or in a folder of the host; SIGHUP reads it again. PORT is 53.
"""

from __future__ import annotations

import asyncio
import os
import signal
import struct
from pathlib import Path

from dnslib import CLASS, EDNS0, OPCODE, QTYPE, RCODE, RR, DNSError, DNSLabelError, DNSRecord

PORT = int(os.environ.get("PORT", "53"))
ZONE = Path(os.environ.get("ZONE", Path(__file__).with_name("zone.txt")))
UDP_SMALL, UDP_LARGE = 512, 1232  # bytes: without EDNS, and what fits a packet everywhere with it
REMEMBERED = 4096  # answers; questions that nobody could guess must not fill the memory


class Zone:
    """The records by name and type."""

    def __init__(self, text: str) -> None:
        self.records: dict[str, dict[int, list[RR]]] = {}
        for record in RR.fromZone(text):
            name = str(record.rname).lower()
            self.records.setdefault(name, {}).setdefault(record.rtype, []).append(record)
        (self.origin,) = (name for name, types in self.records.items() if QTYPE.SOA in types)
        self.soa = self.records[self.origin][QTYPE.SOA]
        # Names that only have something below them exist as well (RFC 4592, section 2.2.2).
        for name in list(self.records):
            while name != self.origin and name:
                name = name.partition(".")[2]
                self.records.setdefault(name, {})

    def answer(self, query: DNSRecord) -> DNSRecord:
        """The whole answer to a question."""
        reply = query.reply(ra=0, aa=1)
        reply.header.ad = 0  # nothing here is signed
        question = query.q
        name = str(question.qname).lower()
        if query.header.opcode != OPCODE.QUERY:
            reply.header.rcode = RCODE.NOTIMP
        elif question.qclass not in (CLASS.IN, 255) or not ("." + name).endswith("." + self.origin):
            reply.header.aa, reply.header.rcode = 0, RCODE.REFUSED
        else:
            self._fill(reply, name, question.qtype)
        if any(record.rtype == QTYPE.OPT for record in query.ar):
            reply.add_ar(EDNS0(udp_len=UDP_LARGE))
        return reply

    def _fill(self, reply: DNSRecord, name: str, kind: int) -> None:
        for _ in range(8):  # aliases of aliases
            types = self.records.get(name)
            if types is None:
                reply.header.rcode = RCODE.NXDOMAIN
                break
            found = [r for t in types for r in types[t]] if kind == QTYPE.ANY else types.get(kind, [])
            for record in found:
                reply.add_answer(record)
            alias = types.get(QTYPE.CNAME)
            if found or not alias:
                break
            reply.add_answer(alias[0])
            name = str(alias[0].rdata).lower()
            if not ("." + name).endswith("." + self.origin):
                return
        if not reply.rr or reply.header.rcode:
            for record in self.soa:
                reply.add_auth(record)


class Server:
    """Answers packets, and remembers what it answered."""

    def __init__(self) -> None:
        self.load()

    def load(self) -> None:
        self.zone = Zone(ZONE.read_text())
        self.small: dict[bytes, bytes] = {}
        self.large: dict[bytes, bytes] = {}

    def reload(self) -> None:
        try:
            self.load()
        except (OSError, ValueError, DNSError) as error:
            print(f"the zone stays as it was: {error}", flush=True)

    def udp(self, packet: bytes) -> bytes | None:
        return self._answer(packet, self.small, udp=True)

    def tcp(self, packet: bytes) -> bytes | None:
        return self._answer(packet, self.large, udp=False)

    def _answer(self, packet: bytes, remembered: dict[bytes, bytes], udp: bool) -> bytes | None:
        """The answer's bytes; None: the packet is none that one answers."""
        question = packet[2:]  # all but the number
        known = remembered.get(question)
        if known is None:
            known = self._work_out(packet, udp)
            if known is None:
                return None
            if len(remembered) >= REMEMBERED:
                remembered.clear()
            remembered[question] = known
        return packet[:2] + known

    def _work_out(self, packet: bytes, udp: bool) -> bytes | None:
        if len(packet) < 12 or packet[2] & 0x80:
            return None  # too short, or an answer itself
        try:
            query = DNSRecord.parse(packet)
            if len(query.questions) != 1:
                raise DNSError("one question")
            reply = self.zone.answer(query)
            data = bytes(reply.pack())
            if udp and len(data) > room(query):
                data = bytes(reply.truncate().pack())
        except (DNSError, DNSLabelError, ValueError, LookupError, UnicodeError, struct.error):
            # The same opcode, an answer, format error, and nothing else (RFC 1035, section 4.1.1).
            return bytes([0x80 | packet[2] & 0x79, RCODE.FORMERR]) + bytes(8)
        return data[2:]


def room(query: DNSRecord) -> int:
    """Bytes that the asker takes over UDP (RFC 6891, section 6.2.3)."""
    told = [record.rclass for record in query.ar if record.rtype == QTYPE.OPT]
    return min(max(told[0], UDP_SMALL), UDP_LARGE) if told else UDP_SMALL


class Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: Server) -> None:
        self.server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: object) -> None:
        answer = self.server.udp(data)
        if answer is not None:
            self.transport.sendto(answer, address)  # type: ignore[attr-defined]


async def stream(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Questions over TCP, each with its length before it (RFC 7766); idle askers are sent away."""
    try:
        while True:
            async with asyncio.timeout(10):
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                answer = server.tcp(await reader.readexactly(length))
                if answer is None:
                    break
                writer.write(struct.pack("!H", len(answer)) + answer)
                await writer.drain()
    except (asyncio.IncompleteReadError, TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()


async def main() -> None:
    server, stop = Server(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, server.reload)
    transport, _ = await loop.create_datagram_endpoint(lambda: Datagrams(server), ("0.0.0.0", PORT))
    async with await asyncio.start_server(lambda r, w: stream(server, r, w), "0.0.0.0", PORT):
        print(f"{server.zone.origin} on port {PORT}", flush=True)
        await stop.wait()
    transport.close()


asyncio.run(main())
