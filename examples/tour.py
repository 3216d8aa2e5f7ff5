"""Builds and boots examples/web, asks it a question as soon as it listens, and ends the guest."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
PATIENCE = 300  # seconds for everything


def main() -> int:
    start = booted = time.monotonic()
    command = [sys.executable, "-m", "unikit", "run", str(HERE / "web")]
    command += ["-p", "0:8080", "--json", "--timeout", str(PATIENCE)]
    guest = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=HERE.parent)
    host = 0
    answered = False
    assert guest.stdout is not None
    for line in guest.stdout:
        event = json.loads(line)
        match event["event"]:
            case "end":
                print(f"{'  ' * event['depth']}{event['title']} ({event['seconds']:.1f} s)")
            case "note" | "warning":
                print(event["text"])
            case "port":
                host, booted = event["host"], time.monotonic()
            case "console":
                print("guest|", event.get("text", "").rstrip())
            case "error":
                print(f"error: {event['message']}", *event["details"], event.get("hint") or "", sep="\n")
            case "guest" if event["report"]["event"] == "listen" and not answered:
                url = f"http://127.0.0.1:{host}/"
                with urllib.request.urlopen(url, timeout=30) as reply:
                    text = reply.read().decode().strip()
                print(f"\nGET {url} -> {reply.status} {text}")
                now = time.monotonic()
                print(f"answered {now - booted:.2f} s after the boot began, {now - start:.1f} s in all\n")
                answered = True
                guest.send_signal(signal.SIGTERM)
    status = guest.wait(30)
    print(f"the guest ended with status {status}")
    return 0 if answered and status == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
