"""A server with threads and a client in one process: unary and streaming calls, an error with its code."""

from concurrent import futures

import grpc


def shout(request: bytes, context: grpc.ServicerContext) -> bytes:
    if not request:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "nothing to shout")
    return request.upper()


def count(request: bytes, context: grpc.ServicerContext):
    for number in range(int(request)):
        yield str(number).encode()


handlers = {
    "Shout": grpc.unary_unary_rpc_method_handler(shout),
    "Count": grpc.unary_stream_rpc_method_handler(count),
}
server = grpc.server(futures.ThreadPoolExecutor(4))
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("Echo", handlers)])
port = server.add_insecure_port("127.0.0.1:0")
server.start()
with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
    call = channel.unary_unary("/Echo/Shout")
    assert call(b"hello", timeout=60) == b"HELLO"
    assert list(channel.unary_stream("/Echo/Count")(b"3", timeout=60)) == [b"0", b"1", b"2"]
    try:
        call(b"", timeout=60)
    except grpc.RpcError as error:
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    else:
        raise AssertionError("no error")
server.stop(None).wait()
