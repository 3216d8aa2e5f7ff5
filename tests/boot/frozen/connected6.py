"""A connection over IPv6."""

import socket

server = socket.create_server(("::1", 8080), family=socket.AF_INET6)
client = socket.create_connection(("::1", 8080))


def main():
    client.close()


main()
