"""A server that reads nothing and always says the same: how fast can the load generator be at most?"""

import select
import socket
import sys
from typing import Final

_BODY: Final = b'{"id":"nothing"}'
_ANSWER: Final = b"HTTP/1.1 201 Created\r\ncontent-length: %d\r\n\r\n%b" % (len(_BODY), _BODY)


def serve(port: int) -> None:
    """Answers whatever comes in one piece."""
    listener = socket.create_server(("127.0.0.1", port), backlog=256)
    epoll = select.epoll()
    epoll.register(listener, select.EPOLLIN)
    clients: dict[int, socket.socket] = {}
    while True:
        for number, _ in epoll.poll():
            if number == listener.fileno():
                client = listener.accept()[0]
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                clients[client.fileno()] = client
                epoll.register(client, select.EPOLLIN)
            elif clients[number].recv(65536):
                clients[number].send(_ANSWER)
            else:
                clients.pop(number).close()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
