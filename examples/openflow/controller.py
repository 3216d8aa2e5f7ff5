"""An OpenFlow controller on os-ken: switches connect to port 6653."""

from os_ken.base.app_manager import AppManager

print("openflow on port 6653", flush=True)
AppManager.run_apps(["learning"])
