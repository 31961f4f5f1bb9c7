"""Protocols beside HTTP/1, spoken by real programs through the hub: what is told, what alerts, what is stopped."""

import hashlib
import io
import os
import time
import zipfile
from dataclasses import dataclass

from lab.scenario import eventually, expect, scenario
from lab.servers import FTP_PIECES, PYTHON, FtpServer, Http2Proxy, MailServer, NameServer, Nginx, SshServer, wait_listening
from lab.traffic import HttpServer, can_connect, received, tcp_connect
from scenarios.nat import OUTSIDE, PUBLISHED, add_internet

INFECTED = b"This file stands for one that nobody wants.\n" * 100
HARMLESS = b"Nothing to see here.\n" * 4000
WORDS = {"sha": hashlib.sha256(INFECTED).hexdigest(), "md5": hashlib.md5(INFECTED).hexdigest()}


def build(world, rules):
    """All TCP and UDP between red and blue is inspected, but what `world.config.policy` has before."""
    world.build()
    with open(world.lab.path("test.rules"), "w") as handle:
        handle.write(rules)
    with open(world.lab.path("unwanted.sha256"), "w") as handle:
        handle.write(f"{WORDS['sha']}  unwanted.bin\n")
    world.config.profile.append({"name": "default", "rules": ["test.rules"], "on_drop": "reset"})
    for protocol in ("tcp", "udp"):
        world.config.policy.insert(0, {"id": f"inspected-{protocol}", "action": "inspect", "protocol": protocol,
                                       "profile": "default"})
    return world


def wait_for(hub, kind, fits, what, timeout=5):
    """The first event of that kind that fits."""
    found = []
    eventually(lambda: found.extend(e for e in hub.events(kind) if fits(e)) or found,
               lambda: f"no {kind} event: {what}; there are {hub.events()}", timeout, 0.05)
    return found[0]


def alert_of(hub, sid):
    return wait_for(hub, "alert", lambda e: e["alert"]["signature_id"] == sid, f"sid {sid}")


def curl(spoke, *words, timeout=5):
    return spoke.namespace.run("curl", "-sS", "--max-time", timeout, *words, check=False, timeout=timeout + 5)


MAIL_RULES = """\
alert smtp any any -> any any (msg:"sender"; smtp.mail_from; content:"alice@example.org"; sid:1;)
alert smtp any any -> any any (msg:"subject"; email.subject; content:"quarterly figures"; nocase; sid:2;)
alert smtp any any -> any any (msg:"attachment"; file.name; content:"figures.bin"; filesize:>1000; sid:3;)
drop smtp any any -> any any (msg:"unwanted file"; file.name; content:"unwanted"; file.data; \
content:"stands for one that nobody wants"; sid:4;)
drop smtp any any -> any any (msg:"another by its hash"; file.name; content:"other"; filesha256:unwanted.sha256; sid:5;)
"""
SEND_MAIL = """\
import smtplib, sys
from email.message import EmailMessage
mail = EmailMessage()
mail["From"], mail["To"], mail["Subject"] = "bob@example.org", "carol@example.net", "another one"
mail.set_content("See what is attached: http://files.example.net/x")
mail.add_attachment(open(sys.argv[2], "rb").read(), maintype="application", subtype="octet-stream",
                    filename=sys.argv[3])
with smtplib.SMTP(sys.argv[1], 25, timeout=4) as server:
    server.send_message(mail)
"""


@scenario("app.smtp", "mail of curl and of Python's smtplib to aiosmtpd: envelope, header fields, attachments; one is "
          "stopped")
def smtp(world):
    build(world, MAIL_RULES).start()
    hub, a, b = world.hub, world.a, world.b
    server = MailServer(world.lab, b.namespace, b.address)
    for name, content in (("figures.bin", HARMLESS), ("unwanted.bin", INFECTED)):
        with open(world.lab.path(name), "wb") as handle:
            handle.write(content)
    sent = curl(a, f"smtp://{b.address}:25/client.example.org", "--mail-from", "alice@example.org", "--mail-rcpt",
                "carol@example.net", "-H", "Subject: Quarterly Figures", "-H", "From: alice@example.org", "-H",
                "To: carol@example.net", "-F", "=Here they are.", "-F",
                f"file=@{world.lab.path('figures.bin')};encoder=base64")
    expect(sent.returncode == 0, f"the mail is not taken: {sent.stderr}, drops {hub.drops()}")
    expect(len(server.mails()) == 1 and "Here they are." in server.mails()[0], f"{server.mails()}")
    event = wait_for(hub, "smtp", lambda e: "mail_from" in e["smtp"], "of the first mail")
    expect(event["smtp"] == {"helo": "client.example.org", "mail_from": "<alice@example.org>",
                             "rcpt_to": ["<carol@example.net>"]}, str(event))
    expect(event["email"]["subject"] == "Quarterly Figures" and event["email"]["attachment"] == ["figures.bin"] and
           event["email"]["from"] == "alice@example.org", str(event))
    file = wait_for(hub, "fileinfo", lambda e: e["fileinfo"]["filename"] == "figures.bin", "of the attachment")
    expect(file["fileinfo"]["size"] == len(HARMLESS) and file["fileinfo"]["state"] == "CLOSED", str(file))
    for sid in (1, 2, 3):
        alert = alert_of(hub, sid)
        expect(alert["app_proto"] == "smtp" and alert["smtp"]["mail_from"] == "<alice@example.org>", str(alert))
    for sid, name in ((4, "unwanted.bin"), (5, "other.bin")):
        sent = a.namespace.run(PYTHON, "-c", SEND_MAIL, b.address, world.lab.path("unwanted.bin"), name, check=False)
        expect(sent.returncode != 0, f"the mail with {name} is taken")
        expect(alert_of(hub, sid)["alert"]["action"] == "blocked", f"{name} is not blocked")
    expect(len(server.mails()) == 1, f"the server has {len(server.mails())} mails")


MAILBOX_RULES = """\
alert tls any any -> any any (msg:"a mailbox"; tls.sni; content:"mailbox.example.org"; sid:1;)
alert pop3 any any -> any any (msg:"a login in clear"; flow:to_server; content:"USER bob"; sid:2;)
alert tls any any -> any any (msg:"its certificate"; tls.cert_subject; content:"CN=mailbox"; sid:3;)
"""
# Answers as much of POP3 or IMAP as leads to TLS and to a login.
MAILBOX_SERVER = """\
import socket, ssl, sys, threading
address, certificate, key = sys.argv[1:4]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.maximum_version = ssl.TLSVersion.TLSv1_2  # whose certificates can be seen
context.load_cert_chain(certificate, key)
def pop3(line):
    word = line.split()[0].upper()
    return {b"CAPA": b"+OK\\r\\nSTLS\\r\\nUSER\\r\\n.\\r\\n", b"STAT": b"+OK 0 0\\r\\n",
            b"LIST": b"+OK\\r\\n.\\r\\n"}.get(word, b"+OK\\r\\n"), word == b"STLS"
def imap(line):
    tag, word = line.split()[:2]
    extra = b"* CAPABILITY IMAP4rev1 STARTTLS\\r\\n" if word.upper() == b"CAPABILITY" else b""
    return extra + tag + b" OK done\\r\\n", word.upper() == b"STARTTLS"
def serve(connection, answer, greeting):
    connection.sendall(greeting)
    lines = connection.makefile("rb")
    while line := lines.readline():
        words, starts = answer(line)
        connection.sendall(words)
        if starts:
            connection = context.wrap_socket(connection, server_side=True)
            lines = connection.makefile("rb")
def listen(port, *how):
    with socket.create_server((address, port)) as server:
        while True:
            threading.Thread(target=serve, args=(server.accept()[0], *how), daemon=True).start()
threading.Thread(target=listen, args=(143, imap, b"* OK ready\\r\\n"), daemon=True).start()
listen(110, pop3, b"+OK ready\\r\\n")
"""
READ_MAILBOX = """\
import imaplib, poplib, ssl, sys
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
kind, address, secret = sys.argv[1:4]
if kind == "pop3":
    mailbox = poplib.POP3(address, timeout=4)
    if secret == "yes": mailbox.stls(context)
    mailbox.user("bob")
else:
    mailbox = imaplib.IMAP4(address, timeout=4)
    mailbox.starttls(context)
    mailbox.login("bob", "secret")
"""


@scenario("app.mailbox", "POP3 and IMAP by curl, OpenSSL and Python's libraries: TLS is told behind STARTTLS, a login in "
          "clear is seen")
def mailbox(world):
    build(world, MAILBOX_RULES).start()
    hub, a, b = world.hub, world.a, world.b
    certificate, key = world.lab.path("mailbox.pem"), world.lab.path("mailbox.key")
    b.namespace.run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=mailbox",
                    "-keyout", key, "-out", certificate)
    b.namespace.start(PYTHON, "-c", MAILBOX_SERVER, b.address, certificate, key, log="mailbox.log")
    wait_listening(b.namespace, 110)
    wait_listening(b.namespace, 143)
    for kind, port in (("pop3", 110), ("imap", 143)):
        sent = curl(a, "--ssl-reqd", "--insecure", "--tlsv1.2", "--user", "bob:secret", "--resolve",
                    f"mailbox.example.org:{port}:{b.address}", f"{kind}://mailbox.example.org/")
        expect(sent.returncode == 0, f"curl over {kind}: {sent.stderr}, drops {hub.drops()}")
        event = wait_for(hub, "tls", lambda e, port=port: e["dest_port"] == port, f"behind {kind}")
        expect(event["tls"]["sni"] == "mailbox.example.org" and event["tls"]["subject"] == "CN=mailbox", str(event))
        for sid in (1, 3):
            wait_for(hub, "alert", lambda e, port=port, sid=sid: e["alert"]["signature_id"] == sid and
                     port in (e["dest_port"], e["src_port"]), f"sid {sid} behind {kind}")
        read = a.namespace.run(PYTHON, "-c", READ_MAILBOX, kind, b.address, "yes", check=False)
        expect(read.returncode == 0, f"{kind} by Python: {read.stderr}, drops {hub.drops()}")
        shown = a.namespace.run("openssl", "s_client", "-starttls", kind, "-connect", f"{b.address}:{port}", "-servername",
                                "by-openssl.example.org", stdin="", check=False)
        expect("CN = mailbox" in shown.stdout, f"{kind} by OpenSSL: {shown.stdout} {shown.stderr}")
        wait_for(hub, "tls", lambda e, port=port: e["dest_port"] == port and
                 e["tls"].get("sni") == "by-openssl.example.org", f"of OpenSSL behind {kind}")
    expect(not [e for e in hub.events("alert") if e["alert"]["signature_id"] == 2], "what is secret was read")
    read = a.namespace.run(PYTHON, "-c", READ_MAILBOX, "pop3", b.address, "no", check=False)
    expect(read.returncode == 0, f"pop3 in clear: {read.stderr}")
    expect(alert_of(hub, 2)["app_proto"] == "pop3", "the login in clear")


FTP_RULES = """\
alert ftp any any -> any any (msg:"who"; ftp.command; content:"USER"; ftp.command_data; content:"anonymous"; sid:1;)
alert ftp-data any any -> any any (msg:"a file by its name"; ftpdata_command:retr; file.name; \
content:"figures"; sid:2;)
alert ftp-data any any -> any any (msg:"unwanted, by its hash"; filesha256:unwanted.sha256; sid:3;)
drop ftp-data any any -> any any (msg:"unwanted upload"; ftpdata_command:stor; file.data; \
content:"stands for one that nobody wants"; sid:4;)
alert ftp any any -> any any (msg:"active"; ftp.mode:active; sid:5;)
"""
ACTIVE = ("--ftp-port", "-", "--disable-eprt")
EXTENDED_ACTIVE = ("--ftp-port", "-")
PASSIVE = ("--disable-epsv",)
EXTENDED_PASSIVE = ()


def ftp_data_events(hub, name):
    return [e for e in hub.events("fileinfo") if e["fileinfo"]["filename"] == name and e["app_proto"] == "ftp-data"]


@scenario("app.ftp", "curl and pyftpdlib: PASV, EPSV, PORT, EPRT; files by name and hash, an upload stopped")
def ftp(world):
    build(world, FTP_RULES).start()
    hub, a, b = world.hub, world.a, world.b
    server = FtpServer(world.lab, b.namespace, b.address)
    for number, way in enumerate((PASSIVE, EXTENDED_PASSIVE, ACTIVE, EXTENDED_ACTIVE)):
        name = f"figures{number}.bin"
        server.write(name, HARMLESS)
        got = curl(a, *way, f"ftp://{b.address}/{name}")
        expect(got.returncode == 0 and got.stdout == HARMLESS.decode(), f"{way}: {got.stderr} {hub.drops()}")
        wait_for(hub, "fileinfo", lambda e, name=name: e["fileinfo"]["filename"] == name and
                 e["fileinfo"]["size"] == len(HARMLESS), f"{name} by {way}")
        wait_for(hub, "ftp_data", lambda e, name=name: e["ftp_data"] == {"filename": name, "command": "RETR"}, name)
    commands = [event["ftp"].get("command") for event in hub.events("ftp")]
    for wanted in ("USER", "PASV", "EPSV", "PORT", "EPRT", "RETR"):
        expect(wanted in commands, f"no event of {wanted}: {commands}")
    for sid in (1, 2, 5):
        alert_of(hub, sid)
    server.write("other.bin", INFECTED)
    expect(curl(a, f"ftp://{b.address}/other.bin").returncode == 0, "an alert has stopped the file")
    alert = alert_of(hub, 3)
    expect(alert["ftp_data"]["filename"] == "other.bin" and alert["app_proto"] == "ftp-data", str(alert))
    with open(world.lab.path("upload.bin"), "wb") as handle:
        handle.write(INFECTED)
    for way in (EXTENDED_PASSIVE, ACTIVE):
        before = hub.drops().get("inspect_drop", 0)
        # The server takes the reset for the file's end, and says that all is well.
        curl(a, *way, "-T", world.lab.path("upload.bin"), f"ftp://{b.address}/")
        expect(hub.drops().get("inspect_drop", 0) > before, f"nothing is stopped: {way}")
        expect(server.read("upload.bin") == b"", f"the server has it: {way}")
    expect(alert_of(hub, 4)["alert"]["action"] == "blocked", "it is not blocked")
    expect(hub.ctl_json("status")["workers"][0].get("expectations_lost", 0) == 0, "expectations are lost")


@dataclass
class Place:
    """Somebody who is no spoke, for curl()."""
    namespace: object


def transfer(client, address, name, way, more=()):
    """What curl gets of an FTP server, by the address that it is told for data (which curl does not, by itself)."""
    return curl(client, "--no-ftp-skip-pasv-ip", *way, *more, f"ftp://{address}/{name}")


def known_transfer(world, name):
    wait_for(world.hub, "fileinfo", lambda e: e["fileinfo"]["filename"] == name and e["app_proto"] == "ftp-data" and
             e["fileinfo"]["size"] == len(HARMLESS), f"of {name}")


@scenario("app.ftp-snat", "curl behind a pool, pyftpdlib outside: PORT and EPRT are translated, what comes is inspected")
def ftp_behind_a_pool(world):
    build(world, FTP_RULES)
    outside = add_internet(world)
    world.config.nat[0]["snat"]["ftp"] = True
    world.start()
    hub, a = world.hub, world.a
    server = FtpServer(world.lab, outside, OUTSIDE)
    for number, way in enumerate((ACTIVE, EXTENDED_ACTIVE, PASSIVE, EXTENDED_PASSIVE)):
        name = f"figures{number}.bin"
        server.write(name, HARMLESS)
        got = transfer(a, OUTSIDE, name, way)
        expect(got.stdout == HARMLESS.decode(), f"{way}: {got.stderr} {hub.drops()} {hub.ctl('sessions').stdout}")
        known_transfer(world, name)
    # Several transfers over one control connection: each has a PORT of its own, and sequence numbers drift.
    got = curl(a, *ACTIVE, *[f"ftp://{OUTSIDE}/figures{i % 4}.bin" for i in range(12)], timeout=10)
    expect(got.stdout == HARMLESS.decode() * 12, f"twelve in a row: {len(got.stdout)} bytes, {got.stderr} {hub.drops()}")
    server.write("unwanted.bin", INFECTED)
    expect(transfer(a, OUTSIDE, "unwanted.bin", ACTIVE).returncode == 0, "an alert has stopped the file")
    expect(alert_of(hub, 3)["app_proto"] == "ftp-data", "the alert is not of the data connection")
    with open(world.lab.path("upload.bin"), "wb") as handle:
        handle.write(INFECTED)
    transfer(a, OUTSIDE, "", ACTIVE, ("-T", world.lab.path("upload.bin")))
    expect(alert_of(hub, 4)["alert"]["action"] == "blocked", "the unwanted upload is not blocked")
    expect(server.read("upload.bin") == b"", "the server has it")
    counted = hub.ctl_json("status")["workers"][0]
    expect(counted["ftp_rewritten"] >= 16 and counted["ftp_untracked"] == 0, str(counted))
    expect(not [reason for reason in hub.drops() if reason.startswith("ftp_")], f"drops: {hub.drops()}")
    world.note(f"{counted['ftp_rewritten']} addresses translated")


@scenario("app.ftp-snat-off", "without `ftp` the pool leaves PORT alone: active transfers fail, passive ones do not")
def ftp_not_asked_for(world):
    build(world, FTP_RULES)
    outside = add_internet(world)
    world.start()
    server = FtpServer(world.lab, outside, OUTSIDE)
    server.write("figures.bin", HARMLESS)
    expect(transfer(world.a, OUTSIDE, "figures.bin", ACTIVE).returncode != 0, "an active transfer works")
    expect(transfer(world.a, OUTSIDE, "figures.bin", PASSIVE).stdout == HARMLESS.decode(), "a passive one does not")
    expect(world.hub.ctl_json("status")["workers"][0]["ftp_rewritten"] == 0, "something is translated")


@scenario("app.ftp-dnat", "a published pyftpdlib: 227 and 229 are translated, its data ports published while needed")
def ftp_published(world):
    build(world, FTP_RULES)
    outside = add_internet(world)
    world.config.nat.append({"name": "ftp", "dnat": {
        "seen_by": ["internet"], "address": PUBLISHED, "port": 21, "domain": "red", "server": world.a.address,
        "ftp": True}})
    world.start()
    hub, a = world.hub, world.a
    server = FtpServer(world.lab, a.namespace, a.address)
    client = Place(outside)
    for number, way in enumerate((PASSIVE, EXTENDED_PASSIVE)):
        name = f"figures{number}.bin"
        server.write(name, HARMLESS)
        got = transfer(client, PUBLISHED, name, way)
        expect(got.stdout == HARMLESS.decode(), f"{way}: {got.stderr} {hub.drops()} {hub.ctl('sessions').stdout}")
        known_transfer(world, name)
    got = curl(client, "--no-ftp-skip-pasv-ip", *PASSIVE, *[f"ftp://{PUBLISHED}/figures{i % 2}.bin" for i in range(12)],
               timeout=10)
    expect(got.stdout == HARMLESS.decode() * 12, f"twelve in a row: {len(got.stdout)} bytes, {got.stderr} {hub.drops()}")
    with open(world.lab.path("upload.bin"), "wb") as handle:
        handle.write(INFECTED)
    transfer(client, PUBLISHED, "", PASSIVE, ("-T", world.lab.path("upload.bin")))
    expect(alert_of(hub, 4)["alert"]["action"] == "blocked", "the unwanted upload is not blocked")
    expect(server.read("upload.bin") == b"", "the server has it")
    expect(not can_connect(outside, PUBLISHED, 40123, timeout=0.5) and hub.drops().get("nat_closed", 0) > 0,
           f"a port that was not announced is open: {hub.drops()}")
    expect(not [reason for reason in hub.drops() if reason.startswith("ftp_")], f"drops: {hub.drops()}")


def in_pieces(client, address, name, way, pieces):
    return client.namespace.run(PYTHON, "-W", "ignore", FTP_PIECES, "get", address, name, way, pieces, check=False,
                                timeout=15)


@scenario("app.ftp-pieces", "ftplib and pyftpdlib that send lines in pieces: untranslated, behind a pool, published")
def ftp_in_pieces(world):
    build(world, FTP_RULES)
    outside = add_internet(world)
    world.config.nat[0]["snat"]["ftp"] = True
    world.config.nat.append({"name": "ftp", "dnat": {
        "seen_by": ["internet"], "address": PUBLISHED, "port": 21, "domain": "red", "server": world.a.address,
        "ftp": True}})
    world.start()
    hub, a, b = world.hub, world.a, world.b
    every = ("pasv", "epsv", "port", "eprt")
    places = (("untranslated", a, b.address, FtpServer(world.lab, b.namespace, b.address, in_pieces=True), every),
              ("pool", a, OUTSIDE, FtpServer(world.lab, outside, OUTSIDE, in_pieces=True), every),
              ("published", Place(outside), PUBLISHED, FtpServer(world.lab, a.namespace, a.address, in_pieces=True),
               ("pasv", "epsv")))
    for place, client, address, server, ways in places:
        for way in ways:
            for pieces in ("bytes", "halves"):
                name = f"{place}-{way}-{pieces}.bin"
                server.write(name, HARMLESS)
                begin = time.monotonic()
                got = in_pieces(client, address, name, way, pieces)
                expect(got.stdout == HARMLESS.decode(), f"{name}: {got.stderr} {hub.drops()}")
                # Nobody had to wait until what was not acknowledged was sent again.
                expect(time.monotonic() - begin < 3, f"{name} took {time.monotonic() - begin:.1f} s")
                known_transfer(world, name)
    counted = hub.ctl_json("status")["workers"][0]
    expect(counted["ftp_gathered"] == counted["ftp_rewritten"] == 6, str(counted))
    expect(not [reason for reason in hub.drops() if reason.startswith("ftp_")], f"drops: {hub.drops()}")
    world.note(f"{counted['ftp_gathered']} addresses put together")


MAGIC_RULES = """\
alert http any any -> any any (msg:"document"; file.magic; content:"pdf document"; nocase; sid:1;)
alert http any any -> any any (msg:"program of Windows"; filemagic:"PE32 executable"; sid:2;)
alert http any any -> any any (msg:"Office"; filemagic:"Microsoft Word 2007+"; sid:3;)
alert http any any -> any any (msg:"no text that says it is one"; fileext:"txt"; filemagic:!"text"; sid:4;)
alert smtp any any -> any any (msg:"archive by mail"; filemagic:"Zip archive"; sid:5;)
alert ftp-data any any -> any any (msg:"picture"; filemagic:"PNG image"; sid:6;)
drop http any any -> any any (msg:"program"; filemagic:"ELF"; sid:7;)
"""


def some_files():
    """A file of each kind, by name, and how what libmagic says of it begins."""
    def archive(*names):
        memory = io.BytesIO()
        with zipfile.ZipFile(memory, "w") as archived:
            for name in names:
                archived.writestr(name, "x" * 300)
        return memory.getvalue()

    pe = bytearray(b"MZ" + bytes(58) + (64).to_bytes(4, "little"))
    pe += b"PE\0\0" + (0x14c).to_bytes(2, "little") + bytes(14) + (0xe0).to_bytes(2, "little") + b"\x02\x01"
    pe += b"\x0b\x01" + bytes(66) + (2).to_bytes(2, "little") + bytes(2_000)
    with open("/bin/true", "rb") as program:
        elf = program.read()
    return {"report.pdf": (b"%PDF-1.7\n" + b"x" * 100, "PDF document, version 1.7"),
            "setup.exe": (bytes(pe), "PE32 executable (GUI) Intel 80386, for MS Windows"),
            "letter.docx": (archive("[Content_Types].xml", "_rels/.rels", "word/document.xml"), "Microsoft Word 2007+"),
            "notes.txt": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(17), "PNG image data"),
            "plain.txt": (b"What it says.\n", "ASCII text"),
            "figures.zip": (archive("a", "b"), "Zip archive data"),
            "tool": (elf, "ELF 64-bit LSB")}


def threads_of(hub):
    folder = f"/proc/{hub.process.pid}/task"
    names = []
    for task in os.listdir(folder):
        with open(f"{folder}/{task}/comm") as comm:
            names.append(comm.read().strip())
    return names


@scenario("app.file-magic", "what nginx, mail and FTP carry is told by its bytes, beside the worker; a drop holds from the "
          "answer on")
def file_magic(world):
    build(world, 'alert http any any -> any any (msg:"nothing"; http.uri; content:"/nothing"; sid:1;)\n').start()
    hub, a, b = world.hub, world.a, world.b
    nginx = Nginx(world.lab, b.namespace, b.address)
    files = some_files()
    for name, (content, _) in files.items():
        nginx.write(name, content)
    expect(curl(a, "-o", "/dev/null", f"http://{b.address}/report.pdf").returncode == 0, "a file does not arrive")
    wait_for(hub, "fileinfo", lambda e: "magic" not in e["fileinfo"], "of a file of which nobody asks")
    expect("weir-magic" not in threads_of(hub), f"a thread that nobody needs: {threads_of(hub)}")

    with open(world.lab.path("test.rules"), "w") as handle:
        handle.write(MAGIC_RULES)
    hub.reload()
    expect("weir-magic" in threads_of(hub), f"nobody could answer: {threads_of(hub)}")
    for name, (content, magic) in files.items():
        http2 = ["--http2-prior-knowledge", f"http://{b.address}:8080/{name}"]
        for words in (http2, [f"http://{b.address}/{name}"]):
            got = a.namespace.run("curl", "-sS", "--max-time", 5, "-o", world.lab.path("got"), *words, check=False)
            with open(world.lab.path("got"), "rb") as handle:
                expect(name == "tool" or handle.read() == content, f"{name}: {got.stderr} {hub.drops()}")
        eventually(lambda name=name, magic=magic: len([
            e for e in hub.events("fileinfo") if e["fileinfo"]["filename"] == f"/{name}" and
            e["fileinfo"].get("magic", "").startswith(magic)]) >= 2,
            lambda name=name: f"{name} is not told: {hub.events('fileinfo')}")
    for sid in (1, 2, 3, 4):
        event = alert_of(hub, sid)
        expect((event["src_ip"], event["alert"]["action"]) == (b.address, "allowed"), str(event))
    expect(alert_of(hub, 4)["http"]["url"] == "/notes.txt", "the text is taken for something else")
    expect(not [e for e in hub.events("alert") if e["alert"]["signature_id"] == 4 and e["http"]["url"] != "/notes.txt"],
           "more than the picture")

    MailServer(world.lab, b.namespace, b.address)
    with open(world.lab.path("figures.zip"), "wb") as handle:
        handle.write(files["figures.zip"][0])
    sent = a.namespace.run(PYTHON, "-c", SEND_MAIL, b.address, world.lab.path("figures.zip"), "figures.zip", check=False)
    expect(sent.returncode == 0, f"the mail is stopped: {sent.stderr} {hub.drops()}")
    alert_of(hub, 5)
    FtpServer(world.lab, b.namespace, b.address).write("notes.txt", files["notes.txt"][0])
    expect(curl(a, "-o", "/dev/null", f"ftp://{b.address}/notes.txt").returncode == 0, "FTP is stopped")
    alert_of(hub, 6)

    before = len([e for e in hub.events("alert") if e["alert"]["signature_id"] == 7])
    with tcp_connect(a.namespace, b.address, 80) as client:
        client.sendall(b"GET /tool HTTP/1.1\r\nHost: b\r\nRange: bytes=0-4095\r\n\r\n")
        got = b""
        while len(got.partition(b"\r\n\r\n")[2]) < 4096:
            got += client.recv(65536)
        eventually(lambda: len([e for e in hub.events("alert") if e["alert"]["signature_id"] == 7]) > before,
                   "the program is not told")
        client.sendall(b"GET /plain.txt HTTP/1.1\r\nHost: b\r\n\r\n")
        end = received(client, 4096)
        expect(end == b"reset", f"the session goes on after the answer: {end}, {hub.drops()}")
    counted = hub.ctl_json("status")["workers"]
    asked, told, lost, failed = (sum(worker[f"magic_{what}"] for worker in counted)
                                 for what in ("asked", "told", "lost", "failed"))
    expect(lost == failed == 0 and told >= 17, f"asked {asked}, told {told}, lost {lost}, failed {failed}")
    world.note(f"{told} of {asked} answers")


HTTP2_RULES = """\
alert http2 any any -> any any (msg:"a field"; http2.header; content:"x-mark|3a| yes"; sid:1;)
alert http any any -> any any (msg:"a path"; http.uri; content:"/marked"; sid:2;)
drop http any any -> any any (msg:"attack"; flow:established,to_server; http.uri; content:"/etc/passwd"; sid:3;)
alert http any any -> any any (msg:"an answer"; flow:to_client; http.stat_code; content:"200"; file.data; \
content:"hello"; sid:4;)
"""


@scenario("app.http2", "curl and nghttp to nghttpx and nginx: prior knowledge, many streams, and an upgrade; one is stopped")
def http2(world):
    build(world, HTTP2_RULES).start()
    hub, a, b = world.hub, world.a, world.b
    backend = HttpServer(world.lab, b.namespace, b.address, 8081)
    Http2Proxy(world.lab, b.namespace, b.address, 8082, 8081)
    nginx = Nginx(world.lab, b.namespace, b.address)
    nginx.write("plain.html", b"hello of nginx\n" * 1000)
    proxy = f"http://{b.address}:8082"

    got = curl(a, "--http2-prior-knowledge", "-H", "X-Mark: yes", f"{proxy}/marked/one")
    expect(got.stdout == "hello /marked/one\n", f"prior knowledge: {got.stdout}{got.stderr} {hub.drops()}")
    event = wait_for(hub, "http", lambda e: e["http"].get("url") == "/marked/one", "of the stream")
    expect(event["http"]["status"] == 200 and event["http"]["http_method"] == "GET" and
           event["http"]["version"] == "2", str(event))
    for sid in (1, 2, 4):
        alert_of(hub, sid)

    got = curl(a, "--http2", f"{proxy}/marked/upgraded", "--next", "--http2", f"{proxy}/second")
    expect(got.stdout == "hello /marked/upgraded\nhello /second\n", f"upgrade: {got.stdout}{got.stderr}")
    for path in ("/marked/upgraded", "/second"):
        event = wait_for(hub, "http", lambda e, path=path: e["http"].get("url") == path and
                         e["http"].get("version") == "2", f"of {path} behind an upgrade")
    got = a.namespace.run("nghttp", "-n", "-u", f"{proxy}/by-nghttp", check=False)
    expect(got.returncode == 0, f"nghttp -u: {got.stdout}{got.stderr}")
    wait_for(hub, "http", lambda e: e["http"].get("url") == "/by-nghttp" and e["http"].get("status") == 200, "of nghttp")

    many = [f"http://{b.address}:8080/plain.html?{i}" for i in range(40)]
    got = a.namespace.run("nghttp", "-n", *many, check=False)
    expect(got.returncode == 0, f"many streams: {got.stderr}")
    eventually(lambda: len([e for e in hub.events("http") if e["http"].get("url", "").startswith("/plain.html?") and
                            e["http"].get("status") == 200]) == 40, "not every stream has its event")

    got = curl(a, "--path-as-is", "--http2-prior-knowledge", f"{proxy}/etc/passwd")
    expect(got.returncode != 0 and "/etc/passwd" not in backend.requests, f"the attack arrives: {got}")
    expect(alert_of(hub, 3)["alert"]["action"] == "blocked", "it is not blocked")


SSH_RULES = """\
alert ssh any any -> any any (msg:"software"; flow:to_server; ssh.software; content:"OpenSSH"; sid:1;)
alert ssh any any -> any any (msg:"server's keys"; flow:to_client; ssh.hassh.server.string; content:"chacha20"; sid:2;)
"""


@scenario("app.ssh", "OpenSSH both ends: banners, keys, a command, a file; bypassed once it is secret; another is refused")
def ssh(world):
    build(world, SSH_RULES).start()
    hub, a, b = world.hub, world.a, world.b
    server = SshServer(world.lab, b.namespace, b.address)
    command = ["ssh", *server.options(), f"root@{b.address}"]
    got = a.namespace.run(*command, "echo", "works", check=False)
    expect(got.stdout == "works\n", f"ssh: {got.stderr}, {server.folder}, {hub.drops()}")
    event = wait_for(hub, "ssh", lambda e: "OpenSSH" in e["ssh"]["server"]["software_version"], "of the session")
    said = event["ssh"]
    expect(said["client"]["proto_version"] == "2.0" and said["client"]["hassh"]["hash"] and
           said["server"]["hassh"]["string"], str(event))
    for sid in (1, 2):
        expect(alert_of(hub, sid)["app_proto"] == "ssh", f"sid {sid} is of another protocol")
    begin = time.monotonic()
    got = a.namespace.run(*command, "head -c 3000000 /dev/zero | tr '\\0' x", check=False)
    expect(len(got.stdout) == 3_000_000, f"{len(got.stdout)} bytes came: {got.stderr}")
    world.note(f"3 MB in {time.monotonic() - begin:.1f} s")
    with open(world.lab.path("test.rules"), "a") as handle:
        handle.write('drop ssh any any -> any any (msg:"refused"; flow:to_server; ssh.software; content:"OpenSSH"; sid:9;)\n')
    hub.reload()
    got = a.namespace.run(*command, "true", check=False)
    expect(got.returncode != 0, "a session that a rule refuses works")
    expect(alert_of(hub, 9)["alert"]["action"] == "blocked", "it is not blocked")


DNS_RULES = """\
alert dns any any -> any any (msg:"a name"; dns.query; content:"name17.example.org"; bsize:18; sid:1;)
drop dns any any -> any any (msg:"an unwanted name"; dns.query; content:"unwanted.example.net"; nocase; sid:2;)
"""


@scenario("app.dns-tcp", "dig asks dnsmasq for many names over one TCP connection; an unwanted one is stopped")
def dns_tcp(world):
    build(world, DNS_RULES).start()
    hub, a, b = world.hub, world.a, world.b
    names = {f"name{i}.example.org": f"10.99.0.{i}" for i in range(60)} | {"unwanted.example.net": "10.99.0.99"}
    NameServer(world.lab, b.namespace, b.address, names)
    wanted = list(names)[:60]
    dig = ["dig", f"@{b.address}", "+tcp", "+keepopen", "+short", "+time=3", "+tries=1"]
    got = a.namespace.run(*dig, *wanted, check=False)
    expect(got.stdout.split() == [names[name] for name in wanted], f"dig: {got.stdout}{got.stderr} {hub.drops()}")
    told = {}

    def all_told():
        for event in hub.events("dns"):
            if event["dns"]["type"] == "response":
                told[event["dns"]["answers"][0]["rrname"]] = event
        return len(told) == 60
    eventually(all_told, lambda: f"{len(told)} answers are told of")
    expect(all(event["dns"]["answers"][0]["rdata"] == names[name] for name, event in told.items()), str(told))
    expect(len({event["flow_id"] for event in told.values()}) == 1 and
           all(event["proto"] == "TCP" for event in told.values()), "they are of several connections")
    alert_of(hub, 1)
    got = a.namespace.run(*dig, "unwanted.example.net", check=False, timeout=15)
    expect("10.99.0.99" not in got.stdout, "the unwanted name is answered")
    expect(alert_of(hub, 2)["alert"]["action"] == "blocked", "it is not blocked")
    udp = a.namespace.run("dig", f"@{b.address}", "+short", "+time=1", "+tries=1", "UNWANTED.example.net", check=False)
    expect("10.99.0.99" not in udp.stdout, "over UDP it is answered")
