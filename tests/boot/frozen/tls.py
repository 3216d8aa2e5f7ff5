"""Answers one TLS connection with random numbers, after it has made a connection of its own to the host."""

import json
import os
import random
import secrets
import socket
import ssl
import uuid

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
look = (random.random, secrets.token_hex, uuid.uuid4, lambda: ssl.RAND_bytes(16).hex())
before = [str(one()) for one in look]  # each generator has been used


def main():
    context.load_cert_chain("/certs/server.pem", "/certs/server.key")
    with socket.create_server(("", 8443)) as listener:
        connection, _ = listener.accept()
        with context.wrap_socket(connection, server_side=True) as stream:
            socket.create_connection(("10.0.2.2", int(os.environ["HOST_PORT"]))).close()
            stream.sendall(json.dumps([before, [str(one()) for one in look]]).encode())
            stream.unwrap()


main()
