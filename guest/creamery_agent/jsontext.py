"""JSON by the interpreter's own C parts alone: the json module imports re, enum and collections, which is most of what the
agent's start costs under gVisor. Raises ValueError for what is no JSON."""

try:
    from _json import encode_basestring_ascii as quoted
    from _json import make_scanner
except ImportError:
    import json

    quoted, loads = json.dumps, json.loads
else:

    class _Context:
        strict = True
        object_hook = object_pairs_hook = None
        parse_float, parse_int = float, int
        parse_constant = None
        memo = {}

    _scan = make_scanner(_Context())

    def loads(data):
        text = data.decode("utf-8")
        try:
            value, end = _scan(text, 0)
        except StopIteration:
            raise ValueError("no JSON") from None
        if text[end:].strip():
            raise ValueError("more than one JSON value")
        return value


def dumps(value):
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return float.__repr__(value)
    if isinstance(value, dict):
        return "{%s}" % ",".join(["%s:%s" % (quoted(key), dumps(item)) for key, item in value.items()])
    if isinstance(value, (list, tuple)):
        return "[%s]" % ",".join([dumps(item) for item in value])
    raise TypeError(type(value).__name__)
