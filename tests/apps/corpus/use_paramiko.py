"""An SSH server and a client in one process: keys, a command, its status."""

import socket
import threading

import paramiko


class Server(paramiko.ServerInterface):
    def check_auth_password(self, username: str, password: str) -> int:
        return paramiko.AUTH_SUCCESSFUL if (username, password) == ("ada", "secret") else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, number: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        def answer() -> None:
            channel.sendall(command.upper())
            channel.send_exit_status(3)
            channel.shutdown_write()

        threading.Thread(target=answer).start()
        return True


def serve(listener: socket.socket) -> None:
    transport = paramiko.Transport(listener.accept()[0])
    transport.add_server_key(paramiko.ECDSAKey.generate())
    transport.start_server(server=Server())
    channel = transport.accept(60)  # it is closed when nothing refers to it
    transport.join(60)
    channel.close()


listener = socket.create_server(("127.0.0.1", 2222))
threading.Thread(target=serve, args=(listener,), daemon=True).start()
client = paramiko.SSHClient()
client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
client.connect(
    "127.0.0.1", 2222, "ada", "secret", look_for_keys=False, allow_agent=False, timeout=120, banner_timeout=120,
    auth_timeout=120,
)  # fmt: skip
_, out, _ = client.exec_command("shout")
assert out.read() == b"SHOUT" and out.channel.recv_exit_status() == 3
client.close()
