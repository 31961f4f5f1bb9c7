"""FTP whose commands and replies come in pieces.

    ftp_pieces.py get HOST NAME pasv|epsv|port|eprt bytes|halves    the file's content on standard output
    ftp_pieces.py serve ADDRESS FOLDER LOW HIGH                     anonymous, on port 21, passive ports LOW to HIGH

`bytes`: a segment for each byte (TCP_NODELAY). `halves`: two segments, of which the second waits until the first is
acknowledged (Nagle), for lines that name an address. The server sends a segment for each byte of its replies.
"""

import ftplib
import socket
import sys


class Client(ftplib.FTP):
    trust_server_pasv_ipv4_address = True
    way = pieces = None

    def putline(self, line):
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, self.pieces == "bytes")
        data = (line + "\r\n").encode()
        if self.pieces == "bytes":
            for at in range(len(data)):
                self.sock.sendall(data[at:at + 1])
            return
        cut = len(data) // 2 if line.startswith(("PORT", "EPRT")) else len(data)
        self.sock.sendall(data[:cut])
        if cut < len(data):
            self.sock.sendall(data[cut:])

    def makepasv(self):
        if self.way == "pasv":
            return super().makepasv()
        return ftplib.parse229(self.sendcmd("EPSV"), self.sock.getpeername())

    def sendport(self, host, port):
        return self.sendeprt(host, port) if self.way == "eprt" else super().sendport(host, port)


def get(host, name, way, pieces):
    client = Client(timeout=4)
    client.way, client.pieces = way, pieces
    client.set_pasv(way in ("pasv", "epsv"))
    client.connect(host)
    client.login()
    client.retrbinary(f"RETR {name}", sys.stdout.buffer.write)
    client.quit()


def serve(address, folder, low, high):
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import FTPHandler
    from pyftpdlib.servers import FTPServer

    class Handler(FTPHandler):
        authorizer = DummyAuthorizer()
        passive_ports = range(int(low), int(high) + 1)
        tcp_no_delay = True
        ac_out_buffer_size = 1

    Handler.authorizer.add_anonymous(folder)
    FTPServer((address, 21), Handler).serve_forever()


if __name__ == "__main__":
    {"get": get, "serve": serve}[sys.argv[1]](*sys.argv[2:])
