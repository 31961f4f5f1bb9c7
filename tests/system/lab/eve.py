"""Are events what Suricata's readers expect? By its own schema, where $WEIR_CORPUS has it, and by a check of ours."""

import json
import os

# Of Weir alone: what it says of itself, and of policy rules that only watch.
OWN_KINDS = ("attachment", "fuse", "overload", "watch")
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool}


def _schema():
    path = os.path.join(os.environ.get("WEIR_CORPUS", ""), "eve-schema.json")
    if not os.path.exists(path):
        return None
    with open(path) as handle:
        return json.load(handle)


SCHEMA = _schema()


def _is(value, kind):
    if kind in ("integer", "number"):
        whole = isinstance(value, int) or (kind == "number" and isinstance(value, float))
        return whole and not isinstance(value, bool)
    return isinstance(value, TYPES[kind])


def _against(value, schema, path, wrong):
    """What the schema uses for what Weir writes: type, properties, required, items, references into itself."""
    if "$ref" in schema:
        target = SCHEMA
        for step in schema["$ref"].lstrip("#/").split("/"):
            target = target[step]
        return _against(value, target, path, wrong)
    if "type" in schema and not _is(value, schema["type"]):
        wrong.append(f"{path} is no {schema['type']}")
        return
    wrong += [f"{path} lacks {name}" for name in schema.get("required", []) if name not in value]
    if isinstance(value, list) and "items" in schema:
        for item in value:
            _against(item, schema["items"], path + "[]", wrong)
    if not isinstance(value, dict):
        return
    properties = schema.get("properties", {})
    for name, member in value.items():
        if name in properties:
            _against(member, properties[name], f"{path}.{name}", wrong)
        elif schema.get("additionalProperties") is False:
            wrong.append(f"{path}.{name} is not in the schema")


def problems(event):
    """What is wrong with an event; `weir` is ours, and the one exception."""
    wrong = [f"no {key}" for key in ("timestamp", "event_type") if key not in event]
    kind = event.get("event_type")
    if kind in OWN_KINDS or wrong:
        return wrong
    if kind not in event:
        wrong.append(f"no {kind} in it")
    if kind != "stats":
        wrong += [f"no {key}" for key in ("src_ip", "dest_ip", "proto") if key not in event]
        wrong += [f"no weir.{key}" for key in ("from_domain", "attachment") if key not in event.get("weir", {})]
    if SCHEMA is not None:
        _against({key: value for key, value in event.items() if key != "weir"}, SCHEMA, "event", wrong)
    return wrong
