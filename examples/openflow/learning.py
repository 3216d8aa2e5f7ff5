"""The controller of a learning switch (OpenFlow 1.3): it sees which port a station is at, and the switch remembers."""

from __future__ import annotations

from typing import Any, ClassVar

from os_ken.base import app_manager
from os_ken.controller import ofp_event
from os_ken.controller.handler import CONFIG_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from os_ken.lib import mac
from os_ken.ofproto import ofproto_v1_3

IDLE = 300  # seconds after which the switch forgets a station that is silent
STATIONS = 65536  # of one switch: strangers' addresses must not fill the memory
TYPE_LLDP = 0x88CC


class LearningSwitch(app_manager.OSKenApp):  # type: ignore[misc]
    OFP_VERSIONS: ClassVar[list[int]] = [ofproto_v1_3.OFP_VERSION]

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.stations: dict[int, dict[str, int]] = {}

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def connected(self, event: Any) -> None:
        """What matches nothing else comes to us."""
        switch = event.msg.datapath
        self.stations[switch.id] = {}
        parser, protocol = switch.ofproto_parser, switch.ofproto
        actions = [parser.OFPActionOutput(protocol.OFPP_CONTROLLER, protocol.OFPCML_NO_BUFFER)]
        self.flow(switch, 0, parser.OFPMatch(), actions, idle=0)

    @staticmethod
    def flow(switch: Any, priority: int, match: Any, actions: list[Any], idle: int = IDLE) -> None:
        parser, protocol = switch.ofproto_parser, switch.ofproto
        apply = [parser.OFPInstructionActions(protocol.OFPIT_APPLY_ACTIONS, actions)]
        switch.send_msg(
            parser.OFPFlowMod(datapath=switch, priority=priority, match=match, instructions=apply, idle_timeout=idle)
        )

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def frame(self, event: Any) -> None:
        """A frame that the switch does not know the way of."""
        message = event.msg
        switch, data = message.datapath, bytes(message.data)
        if len(data) < 14 or int.from_bytes(data[12:14], "big") == TYPE_LLDP:
            return
        parser, protocol = switch.ofproto_parser, switch.ofproto
        port = message.match["in_port"]
        to, source = mac.haddr_to_str(data[0:6]), mac.haddr_to_str(data[6:12])
        known = self.stations.setdefault(switch.id, {})
        if len(known) >= STATIONS:
            known.clear()
        known[source] = port
        out = known.get(to, protocol.OFPP_FLOOD)
        actions = [parser.OFPActionOutput(out)]
        if out != protocol.OFPP_FLOOD:
            self.flow(switch, 1, parser.OFPMatch(in_port=port, eth_dst=to, eth_src=source), actions)
        whole = message.buffer_id == protocol.OFP_NO_BUFFER
        switch.send_msg(
            parser.OFPPacketOut(
                datapath=switch, buffer_id=message.buffer_id, in_port=port, actions=actions,
                data=data if whole else None,
            )
        )  # fmt: skip
