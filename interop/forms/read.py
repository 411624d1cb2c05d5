# Reads a JSON array of documents (base64) in the form that argv names; writes a
# JSON array of arrays NAME, VALUE, NAME, VALUE … (base64).
import base64, csv, io, json, sys


def text(doc):
    return doc.decode("utf-8")


def read_yaml(doc):
    env = yaml.safe_load(doc) or {}
    assert all(type(x) is str for pair in env.items() for x in pair), env
    return env


def rows(doc, **dialect):
    return dict(csv.reader(io.StringIO(text(doc), newline=""), strict=True, **dialect))


def read_dotenv(doc):
    # As a file is read: with the line ends that Python makes of CR and CR LF.
    return dotenv_values(stream=io.TextIOWrapper(io.BytesIO(doc), "utf-8"))


readers = {
    "json": json.loads,
    "yaml": read_yaml,
    "dotenv": read_dotenv,
    "csv": rows,
    "tsv": lambda doc: rows(doc, delimiter="\t", quoting=csv.QUOTE_NONE),
}
form = sys.argv[1]
try:
    if form == "yaml":
        import yaml
    if form == "dotenv":
        from dotenv import dotenv_values
except ImportError as e:
    sys.exit(print(e, file=sys.stderr) or 77)


def pairs(doc):
    return [base64.b64encode(x.encode()).decode() for pair in readers[form](doc).items() for x in pair]


json.dump([pairs(base64.b64decode(doc)) for doc in json.load(sys.stdin)], sys.stdout)
