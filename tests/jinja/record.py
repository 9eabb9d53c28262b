"""Records what jinja2 3.1.6 makes of the templates of `cases.txt`, in the environment that
transformers renders chat templates in: `python3 record.py` writes `cases.json` beside itself.

A line of `cases.txt` is an expression (`{{ … }}` is put around it) or, with braces in it, a
template; `\\n` and `\\r` in a line stand for the characters, `\\\\` for a backslash. Empty lines
and those that begin with `##` are passed over. `data.json` has the messages and tools.
"""
import json
import pathlib
import re

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.sandbox

HERE = pathlib.Path(__file__).parent


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_said"), [], [], body).set_lineno(line)

    def _said(self, caller):
        return caller()


def environment():
    env = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, "jinja2.ext.loopcontrols"]
    )

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(
            x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
        )

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    return env


def main():
    data = json.loads((HERE / "data.json").read_text())
    cases = []
    for line in (HERE / "cases.txt").read_text().split("\n"):
        if not line.strip() or line.startswith("##"):
            continue
        line = re.sub(r"\\([\\nr])", lambda m: {"n": "\n", "r": "\r"}.get(m[1], "\\"), line)
        source = line if "{{" in line or "{%" in line or "{#" in line else "{{ " + line + " }}"
        case = {"template": source}
        try:
            case["text"] = environment().from_string(source).render(
                messages=data["messages"],
                tools=data["tools"],
                documents=None,
                add_generation_prompt=True,
                bos_token="<s>",
                eos_token="</s>",
            )
            if re.search(r" at 0x[0-9a-f]{6,}", case["text"]):
                # Of no use to anybody, and another one each time.
                case.pop("text")
                case["refused"] = "writes an address"
        except Exception as error:
            case["refused"] = f"{type(error).__name__}: {error}"[:120]
        cases.append(case)
    lines = [json.dumps(case, ensure_ascii=False) for case in cases]
    (HERE / "cases.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")
    print(len(cases), "cases,", sum("refused" in case for case in cases), "of them refused")


if __name__ == "__main__":
    main()
