"""Why an alert is right: what the rule's own text asks for and which program does it, and whether the event is one of
that. By sid."""

INSIDE = "10.20."  # addresses of HOME_NET


def outbound(event):
    return event["src_ip"].startswith(INSIDE) and not event["dest_ip"].startswith(INSIDE)


def inbound(event):
    return event["dest_ip"].startswith(INSIDE) and not event["src_ip"].startswith(INSIDE)


def agent(event):
    return event.get("http", {}).get("http_user_agent", "")


REASONS = {
    2001219: ("the fifth SYN to port 22 of HOME_NET from one address in two minutes: ssh and scp, again and again",
              lambda e: inbound(e) and e["dest_port"] == 22),
    2002087: ("\"mail from:\" to port 25 of HOME_NET, ten times in a minute from one address: curl and smtplib",
              lambda e: inbound(e) and e["dest_port"] == 25),
    2002823: ("\"Wget\" in the User-Agent, ten times in a minute from one outside address: wget",
              lambda e: inbound(e) and "Wget" in agent(e)),
    2002825: ("User-Agent begins with \"curl\", ten times in a minute from one outside address: curl",
              lambda e: inbound(e) and agent(e).startswith("curl")),
    2003068: ("every fifth SYN to port 22 outside from one address in two minutes: ssh and scp, again and again",
              lambda e: outbound(e) and e["dest_port"] == 22),
    2013031: ("User-Agent begins with \"Python-urllib/\", and the host is none of the exceptions: Python's urllib",
              lambda e: outbound(e) and agent(e).startswith("Python-urllib/")),
    2013504: ("\"APT-HTTP/\" in the User-Agent: apt-get",
              lambda e: outbound(e) and "APT-HTTP/" in agent(e)),
}
