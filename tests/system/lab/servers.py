"""Servers that are not ours, each a program of Debian's in a namespace: mail, FTP, HTTP/2, SSH, DNS, rsync, and nginx.
All files are in the lab's folder, by the namespace's name; each constructor returns when its port listens."""

import os
import time

from .netns import LabError, run

PYTHON = "/usr/bin/python3"  # Debian's, which has Debian's modules
FTP_PIECES = os.path.join(os.path.dirname(os.path.dirname(__file__)), "tools", "ftp_pieces.py")


def wait_listening(namespace, port, kind="t", timeout=8):
    """Until somebody listens on that TCP ("t") or UDP ("u") port; LabError if nobody does."""
    deadline = time.monotonic() + timeout
    while not namespace.run("ss", f"-Hln{kind}", f"sport = :{port}").stdout.strip():
        if time.monotonic() > deadline:
            raise LabError(f"nobody listens on port {port} in {namespace.name} after {timeout} s")
        time.sleep(0.02)


class MailServer:
    """aiosmtpd, which keeps what it accepts."""

    def __init__(self, lab, namespace, address, port=25):
        self.folder = lab.path(f"mail-{namespace.short_name}")
        namespace.start(PYTHON, "-m", "aiosmtpd", "-n", "-l", f"{address}:{port}", "-c", "aiosmtpd.handlers.Mailbox",
                        self.folder, log=f"aiosmtpd-{namespace.short_name}.log")
        wait_listening(namespace, port)

    def mails(self):
        """What has arrived, as text."""
        new = os.path.join(self.folder, "new")
        found = []
        for name in sorted(os.listdir(new)) if os.path.isdir(new) else []:
            with open(os.path.join(new, name), "r", errors="replace") as handle:
                found.append(handle.read())
        return found


class FtpServer:
    """pyftpdlib: anonymous, who may write. Passive ports are 40000 to 40009; `named` is the address that it says in
    its answer to PASV."""

    PASSIVE = (40000, 40009)

    def __init__(self, lab, namespace, address, port=21, named=None, in_pieces=False):
        """`in_pieces`: each byte of its replies is a segment; on port 21 only."""
        self.folder = lab.path(f"ftp-{namespace.short_name}")
        os.makedirs(self.folder, exist_ok=True)
        if in_pieces:
            namespace.start(PYTHON, "-W", "ignore", FTP_PIECES, "serve", address, self.folder, *self.PASSIVE,
                            log=f"pyftpdlib-{namespace.short_name}.log")
            wait_listening(namespace, port)
            return
        named = ["-n", named] if named else []
        namespace.start(PYTHON, "-W", "ignore", "-m", "pyftpdlib", "-i", address, "-p", port, "-w", "-d", self.folder,
                        "-r", "{}-{}".format(*self.PASSIVE), *named,
                        log=f"pyftpdlib-{namespace.short_name}.log")
        wait_listening(namespace, port)

    def write(self, name, content):
        with open(os.path.join(self.folder, name), "wb") as handle:
            handle.write(content)

    def read(self, name):
        """None: there is no such file."""
        path = os.path.join(self.folder, name)
        if not os.path.exists(path):
            return None
        with open(path, "rb") as handle:
            return handle.read()


class Http2Proxy:
    """nghttpx: HTTP/2 in clear, with prior knowledge and behind an upgrade, before a server of HTTP/1."""

    def __init__(self, lab, namespace, address, port, backend_port):
        namespace.start("nghttpx", f"--frontend={address},{port};no-tls", f"--backend={address},{backend_port}",
                        "--conf=/dev/null", "--errorlog-file=/dev/stderr", "--workers=1", "--single-process",
                        log="nghttpx.log")
        wait_listening(namespace, port)


class SshServer:
    """OpenSSH's sshd with a host key of its own, and one client key that it lets in as root."""

    CONFIG = """\
ListenAddress {address}
HostKey {folder}/host_key
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
PermitRootLogin prohibit-password
AuthorizedKeysFile {folder}/client_key.pub
Subsystem sftp internal-sftp
"""

    def __init__(self, lab, namespace, address, port=22):
        self.folder = lab.path(f"ssh-{namespace.short_name}")
        os.makedirs(self.folder, exist_ok=True)
        os.makedirs("/run/sshd", exist_ok=True)  # sshd wants to find it
        for name in ("host_key", "client_key"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{self.folder}/{name}")
        with open(f"{self.folder}/sshd_config", "w") as handle:
            handle.write(self.CONFIG.format(folder=self.folder, address=address))
        namespace.start("/usr/sbin/sshd", "-D", "-e", "-p", port, "-f", f"{self.folder}/sshd_config",
                        log=f"sshd-{namespace.short_name}.log")
        wait_listening(namespace, port)

    def options(self):
        """What ssh has to be told."""
        return ["-i", f"{self.folder}/client_key", "-F", "/dev/null", "-o", "StrictHostKeyChecking=no", "-o",
                "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR", "-o",
                "ConnectTimeout=4"]


class NameServer:
    """dnsmasq with the A records that it is given."""

    def __init__(self, lab, namespace, address, names):
        records = [f"--host-record={name},{target}" for name, target in names.items()]
        namespace.start("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
                        "--bind-interfaces", f"--listen-address={address}", "--user=root", "--pid-file=",
                        *records, log=f"dnsmasq-{namespace.short_name}.log")
        wait_listening(namespace, 53)


class RsyncServer:
    """An rsync daemon with one module, `files`."""

    def __init__(self, lab, namespace, address, folder, port=873):
        config = lab.path(f"rsyncd-{namespace.short_name}.conf")
        with open(config, "w") as handle:
            handle.write(f"use chroot = no\nuid = root\ngid = root\n[files]\npath = {folder}\nread only = yes\n")
        namespace.start("rsync", "--daemon", "--no-detach", f"--address={address}", f"--port={port}",
                        f"--config={config}", log=f"rsyncd-{namespace.short_name}.log")
        wait_listening(namespace, port)


class Nginx:
    """nginx: files in clear on port 80 and, with `tls_name`, on 443; HTTP/2 with prior knowledge on 8080. What is sent to
    /take is thanked for."""

    CONFIG = """\
daemon off;
user root;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 128; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  include /etc/nginx/mime.types;
  autoindex on; gzip on; gzip_min_length 100;
  root {folder}/www;
  server {{ listen {address}:80; location /take {{ return 200 "thanks\n"; }} location /old {{ return 301 /; }} }}
  server {{ listen {address}:8080 http2; }}
{tls}
}}
"""
    TLS = """\
  server {{ listen {address}:443 ssl http2; ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {folder}/cert.pem;
            ssl_certificate_key {folder}/key.pem; }}
"""

    def __init__(self, lab, namespace, address, tls_name=None):
        base = lab.path(f"nginx-{namespace.short_name}")
        self.folder = os.path.join(base, "www")
        os.makedirs(self.folder, exist_ok=True)
        tls = ""
        if tls_name:
            run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{base}/key.pem", "-out",
                f"{base}/cert.pem", "-days", "2", "-subj", f"/O=Example/CN={tls_name}", "-addext",
                f"subjectAltName=DNS:{tls_name},IP:{address}")
            tls = self.TLS.format(address=address, folder=base)
        with open(f"{base}/nginx.conf", "w") as handle:
            handle.write(self.CONFIG.format(folder=base, address=address, tls=tls))
        namespace.start("nginx", "-c", f"{base}/nginx.conf", log=f"nginx-{namespace.short_name}.log")
        wait_listening(namespace, 80)

    def write(self, name, content):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as handle:
            handle.write(content)
