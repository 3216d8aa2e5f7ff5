"""An OpenFlow controller on os-ken: switches connect to port 6653."""

from os_ken import cfg
from os_ken.base.app_manager import AppManager

ALIVE = 5  # seconds between questions whether a switch is still there; os-ken's threads for one end by no other way

cfg.CONF.set_override("echo_request_interval", ALIVE)
cfg.CONF.set_override("maximum_unreplied_echo_requests", 2)
print("openflow on port 6653", flush=True)
AppManager.run_apps(["learning"])
