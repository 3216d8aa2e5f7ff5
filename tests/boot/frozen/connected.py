"""A connection is open when the program would be frozen."""

import socket

LISTENER = socket.create_server(("127.0.0.1", 8080))
CLIENT = socket.create_connection(("127.0.0.1", 8080))


def main():
    LISTENER.accept()


main()
