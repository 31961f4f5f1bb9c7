"""Programs that people run, and what they do here: each a client of Debian's that speaks to servers of Debian's on the
other side. One round of all of them is some eighty transactions."""

import gzip
import os
import shutil
from dataclasses import dataclass, field

from lab.netns import LabError, run
from lab.servers import (PYTHON, FtpServer, Http2Proxy, MailServer, NameServer, Nginx, RsyncServer, SshServer)

PAGE = ("<html><head><title>An example</title></head><body>" + "<p>Some words of no interest.</p>\n" * 60 +
        "</body></html>\n").encode()
# What people look for, none of which is there.
FAMOUS = ("google.com", "www.wikipedia.org", "github.com", "api.github.com", "www.kernel.org", "www.gnu.org",
          "gitlab.com", "www.debian.org", "www.python.org", "stackoverflow.com", "www.mozilla.org",
          "www.openstreetmap.org", "www.nasa.gov", "fonts.googleapis.com", "outlook.office365.com", "login.microsoftonline.com",
          "s3.amazonaws.com", "ec2.eu-central-1.amazonaws.com", "storage.googleapis.com", "time.cloudflare.com",
          "www.youtube.com", "slack.com", "zoom.us", "www.bbc.co.uk", "letsencrypt.org", "ocsp.digicert.com")
NAMES = ("www", "git", "deb", "mail", "ftp", "ssh", "files", "api")
URLLIB = """\
import json, sys, urllib.request
base = sys.argv[1]
for i in range(4):
    urllib.request.urlopen(f"{base}/page{i}.html", timeout=5).read()
body = json.dumps({"name": "value", "list": list(range(40))}).encode()
urllib.request.urlopen(urllib.request.Request(f"{base}/take", body, {"Content-Type": "application/json"}), timeout=5).read()
"""
SMTPLIB = """\
import smtplib, sys
from email.message import EmailMessage
mail = EmailMessage()
mail["From"], mail["To"], mail["Subject"] = "bob@example.org", "carol@example.net", "Minutes of the meeting"
mail.set_content("Dear all,\\nthe minutes are attached.\\n" * 5)
mail.add_attachment(b"minutes\\n" * 300, maintype="text", subtype="plain", filename="minutes.txt")
mail.add_attachment(bytes(range(256)) * 20, maintype="image", subtype="png", filename="picture.png")
with smtplib.SMTP(sys.argv[1], 25, timeout=5) as server:
    server.send_message(mail)
    server.send_message(mail)
"""
FTPLIB = """\
import ftplib, io, sys
with ftplib.FTP(sys.argv[1], timeout=5) as ftp:
    ftp.login()
    ftp.set_pasv(sys.argv[2] == "passive")
    ftp.nlst()
    ftp.retrbinary("RETR notes.txt", lambda part: None)
    ftp.storbinary(f"STOR upload-{sys.argv[2]}.txt", io.BytesIO(b"some words\\n" * 500))
"""


@dataclass
class Side:
    """One end: its namespace, address, and the zone whose names are its."""
    namespace: object
    address: str
    zone: str
    nginx: object = None
    ssh: object = None
    books: list = field(default_factory=list)
    done: dict = field(default_factory=dict)  # program -> times that it ran

    def name(self, host):
        return f"{host}.{self.zone}"


def library():
    """Files of many kinds that every Debian 12 with the packages of scripts/install-deps has: text, code, compressed,
    images, programs."""
    found = []
    for folder, ends, most in (("/usr/lib/python3.11", (".py",), 60), ("/usr/share/perl5", (".pm", ".pl"), 20),
                               ("/usr/include", (".h",), 30), ("/usr/share/doc", (".gz", "copyright", ".html"), 40),
                               ("/usr/share/man/man1", (".gz",), 20), ("/usr/share/git-core", (".sample",), 10),
                               ("/usr/bin", ("true", "tar", "gzip", "ldd"), 4)):
        here = []
        for path, _, names in os.walk(folder):
            here += [os.path.join(path, name) for name in names if name.endswith(ends)]
        here = sorted(path for path in here if os.path.isfile(path) and 0 < os.path.getsize(path) < 300_000)
        found += here[::max(len(here) // most, 1)][:most]
    return found


def serve(lab, side):
    """All servers of one side."""
    namespace, address = side.namespace, side.address
    NameServer(lab, namespace, address, {side.name(host): address for host in NAMES})
    side.nginx = Nginx(lab, namespace, address, side.name("www"))
    for i in range(8):
        side.nginx.write(f"page{i}.html", PAGE)
    side.nginx.write("files/data.bin", os.urandom(40_000))
    side.nginx.write("files/notes.txt", b"notes\n" * 1_000)
    side.nginx.write("files/archive.json.gz", gzip.compress(b'{"a": 1}' * 400))
    side.books = []
    for number, path in enumerate(library()):
        side.books.append(f"library/{number}-{os.path.basename(path)}")
        with open(path, "rb") as handle:
            side.nginx.write(side.books[-1], handle.read())
    _repository(lab, side)
    _packages(lab, side)
    Http2Proxy(lab, namespace, address, 8082, 80)
    MailServer(lab, namespace, address)
    FtpServer(lab, namespace, address).write("notes.txt", b"notes\n" * 1_000)
    side.ssh = SshServer(lab, namespace, address)
    RsyncServer(lab, namespace, address, os.path.join(side.nginx.folder, "files"))


def _repository(lab, side):
    work = lab.path(f"work-{side.namespace.short_name}")
    git = ["git", "-c", "user.name=Alice", "-c", "user.email=alice@example.org", "-C", work]
    run("git", "init", "-q", work)
    for i in range(3):
        with open(os.path.join(work, f"file{i}.c"), "w") as handle:
            handle.write(f"int number(void) {{ return {i}; }}\n" * 20)
        run(*git, "add", ".")
        run(*git, "commit", "-q", "-m", f"change {i}")
    bare = os.path.join(side.nginx.folder, "code.git")
    run("git", "clone", "-q", "--bare", work, bare)
    run("git", "-C", bare, "update-server-info")


def _packages(lab, side):
    """A package of nothing, in a repository that apt reads."""
    source, pool = lab.path(f"package-{side.namespace.short_name}"), os.path.join(side.nginx.folder, "debian")
    os.makedirs(os.path.join(source, "DEBIAN"))
    os.makedirs(pool)
    with open(os.path.join(source, "DEBIAN/control"), "w") as handle:
        handle.write("Package: example\nVersion: 1.0\nArchitecture: all\nMaintainer: A <a@example.org>\n"
                     "Description: an example\n")
    run("dpkg-deb", "--root-owner-group", "-b", source, os.path.join(pool, "example_1.0_all.deb"))
    listed = run("sh", "-c", f"cd {pool} && dpkg-scanpackages --multiversion . 2>/dev/null").stdout.encode()
    for name, content in (("Packages", listed), ("Packages.gz", gzip.compress(listed))):
        with open(os.path.join(pool, name), "wb") as handle:
            handle.write(content)


class Clients:
    """What runs on `here` and speaks to `there`."""

    def __init__(self, lab, here, there):
        self.lab, self.here, self.there = lab, here, there
        self.folder = lab.path(f"clients-{here.namespace.short_name}")
        os.makedirs(self.folder)

    def _do(self, program, *command, timeout=30, **options):
        done = self.here.namespace.run(*command, timeout=timeout, check=False, **options)
        if done.returncode != 0:
            raise LabError(f"{program}: {' '.join(map(str, command))[:200]}: exit {done.returncode}: "
                           f"{(done.stderr or done.stdout).strip()[-300:]}")
        self.here.done[program] = self.here.done.get(program, 0) + 1
        return done

    def round(self, number):
        for step in (self.curl, self.wget, self.urllib, self.nghttp, self.dig, self.git, self.ssh, self.apt, self.mail,
                     self.ftp, self.openssl, self.rsync):
            step(number)

    def _curl(self, *words_and_urls):
        """Each URL is fetched, and its content thrown away."""
        words = [part for word in words_and_urls for part in
                 (("-o", "/dev/null", word) if "://" in word else (word,))]
        self._do("curl", "curl", "-sS", "-f", "--max-time", 10, *words)

    def _books(self, number, count):
        books = self.there.books
        return [books[(number * count + i) % len(books)] for i in range(count)]

    def curl(self, number):
        www, api = f"http://{self.there.name('www')}", f"http://{self.there.name('api')}"
        for book in self._books(number, 24):
            self._curl("--compressed" if number % 2 else "--http1.1", f"{www}/{book}")
        self._curl("--compressed", f"{www}/page[0-7].html", f"{www}/files/", f"{www}/files/data.bin",
                   f"{www}/?q=search+words&page={number}")
        self._curl("-L", "-b", "session=0123456789", "-d", "name=Alice&city=Bern", f"{api}/take")
        self._curl("-F", "file=@/etc/hostname;filename=report.txt", f"{api}/take")
        self._curl("-I", f"{www}/old", f"{www}/page1.html")
        self._curl("-r", "100-5000", f"{www}/files/data.bin")
        self._curl("-k", f"https://{self.there.name('www')}/page[0-3].html")
        for page in range(3):  # Debian 12's does not use such a connection twice
            self._curl("--http2-prior-knowledge", f"{www}:8080/page{page}.html")
        self._curl("--http2", f"{www}:8082/page[0-1].html")

    def wget(self, number):
        www = f"http://{self.there.name('www')}"
        self._do("wget", "wget", "-q", "-O", "/dev/null", *[f"{www}/page{i}.html" for i in range(4)],
                 f"{www}/files/archive.json.gz", *[f"{www}/{book}" for book in self._books(number + 3, 10)])
        self._do("wget", "wget", "-q", "--no-check-certificate", "-O", "/dev/null",
                 f"https://{self.there.name('www')}/files/notes.txt")

    def urllib(self, _):
        self._do("python urllib", PYTHON, "-c", URLLIB, f"http://{self.there.name('api')}")

    def nghttp(self, _):
        self._do("nghttp", "nghttp", "-n", *[f"http://{self.there.name('www')}:8080/page{i}.html" for i in range(3)])
        self._do("nghttp", "nghttp", "-n", "-u", f"http://{self.there.name('www')}:8082/page4.html")
        self._do("nghttp", "nghttp", "-n", f"https://{self.there.name('www')}/page5.html")

    def dig(self, _):
        dig = ["dig", f"@{self.there.address}", "+time=3"]
        self._do("dig", *dig, "+short", *[self.there.name(host) for host in ("www", "mail", "ftp")])
        self._do("dig", *dig, "+tcp", "+keepopen", *[self.there.name(host) for host in ("git", "deb", "ssh")])
        self._do("dig", *dig, "MX", self.there.zone)
        self._do("dig", *dig, "-x", self.there.address)
        self._do("dig", *dig, *[f"{name}." for name in FAMOUS])

    def git(self, number):
        for scheme in ("http", "https"):
            target = os.path.join(self.folder, f"clone-{number}-{scheme}")
            self._do("git", "git", "-c", "http.sslVerify=false", "clone", "-q",
                     f"{scheme}://{self.there.name('git')}/code.git", target)
            shutil.rmtree(target)

    def ssh(self, _):
        target = f"root@{self.there.name('ssh')}"
        self._do("ssh", "ssh", *self.there.ssh.options(), target, "seq 2000")
        self._do("scp", "scp", "-q", *self.there.ssh.options(), f"{target}:{self.there.nginx.folder}/files/notes.txt",
                 os.path.join(self.folder, "copied.txt"))

    def apt(self, number):
        root = os.path.join(self.folder, f"apt-{number}")
        for part in ("etc", "state/lists/partial", "cache/archives/partial", "dpkg"):
            os.makedirs(os.path.join(root, part))
        with open(os.path.join(root, "etc/sources.list"), "w") as handle:
            handle.write(f"deb [trusted=yes] http://{self.there.name('deb')}/debian ./\n")
        open(os.path.join(root, "dpkg/status"), "w").close()
        settings = {"Dir::Etc::sourcelist": f"{root}/etc/sources.list", "Dir::Etc::sourceparts": "/dev/null",
                    "Dir::State": f"{root}/state", "Dir::State::status": f"{root}/dpkg/status",
                    "Dir::Cache": f"{root}/cache", "APT::Sandbox::User": "root", "Acquire::Languages": "none",
                    "Acquire::http::Proxy": "false"}
        apt = ["apt-get", "-qq", *[word for key, value in settings.items() for word in ("-o", f"{key}={value}")]]
        self._do("apt-get", *apt, "update")
        self._do("apt-get", *apt, "install", "--download-only", "--yes", "example")
        shutil.rmtree(root)

    def mail(self, number):
        self._do("python smtplib", PYTHON, "-c", SMTPLIB, self.there.name("mail"))
        self._do("curl", "curl", "-sS", "--max-time", 10, f"smtp://{self.there.name('mail')}/client.{self.here.zone}",
                 "--mail-from", f"alice@{self.here.zone}", "--mail-rcpt", f"carol@{self.there.zone}", "-H",
                 "Subject: Lunch", "-H", f"From: alice@{self.here.zone}", "-F", "=Shall we meet at noon?", "-F",
                 "file=@/etc/hostname;filename=menu.txt;encoder=quoted-printable", "-F",
                 f"file=@{self.here.nginx.folder}/{self._books(number, 1)[0]};encoder=base64")

    def ftp(self, number):
        for way in ("passive", "active"):
            self._do("python ftplib", PYTHON, "-c", FTPLIB, self.there.name("ftp"), way)
        for way in ((), ("--disable-epsv",), ("--ftp-port", "-")):
            self._curl(*way, f"ftp://{self.there.name('ftp')}/notes.txt")
        for book in self._books(number, 6):
            self._curl("-T", os.path.join(self.here.nginx.folder, book), f"ftp://{self.there.name('ftp')}/")

    def openssl(self, _):
        for version in ("-tls1_2", "-tls1_3"):
            self._do("openssl s_client", "openssl", "s_client", "-connect", f"{self.there.address}:443", "-servername",
                     self.there.name("www"), version, "-quiet", "-no_ign_eof", stdin="GET / HTTP/1.0\r\n\r\n")

    def rsync(self, number):
        self._do("rsync", "rsync", "-rt", f"rsync://{self.there.name('files')}/files/",
                 os.path.join(self.folder, f"synced-{number}"))
