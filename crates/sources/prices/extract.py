"""Writes the facts that the price table needs from a wheel of genai-prices as JSON, one model on a line.

Reads the wheel's generated data as source text: nothing of the package is run, and none of its dependencies is needed.
"""

import ast
import json
import sys
import zipfile

# Vendors of models that agents use, and hosts that name models in their own way. Of hosts that serve open models at
# prices of their own the logs do not tell which one it was.
PROVIDERS = [
    "anthropic", "openai", "google", "moonshotai", "deepseek", "x-ai", "minimax", "zai", "mistral", "cursor",
    "github-copilot", "aws", "openrouter",
]
# What session logs count: tokens of text, and web searches.
KEYS = [
    "input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "cache_write_5m_mtok", "cache_write_1h_mtok",
    "web_searches_kcount",
]


def number(text):
    """A decimal as JSON writes it, without an exponent and without a zero at its end."""
    return int(text) if text.isdigit() else float(text)


def value(node):
    """A literal or a call of a constructor, as plain data."""
    match node:
        case ast.Constant():
            return node.value
        case ast.List() | ast.Tuple():
            return [value(item) for item in node.elts]
        case ast.Dict():
            return {value(key): value(item) for key, item in zip(node.keys, node.values)}
        case ast.Call(func=ast.Name(id="Decimal"), args=[ast.Constant(value=text)]):
            return number(text)
        case ast.Call(func=ast.Attribute(attr="date"), args=[year, month, day]):
            return f"{value(year):04}-{value(month):02}-{value(day):02}"
        case ast.Call(func=ast.Attribute(attr="time"), args=[hour, minute, *_]):
            zone = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            assert zone == {"tzinfo": "datetime.UTC"}, ast.unparse(node)
            return f"{value(hour):02}:{value(minute):02}"
        case ast.Call(func=ast.Name(id=name)) if not node.args:
            fields = {keyword.arg.rstrip("_"): value(keyword.value) for keyword in node.keywords}
            return {"is": name} | fields
    raise ValueError(f"not understood: {ast.unparse(node)}")


def prices(price):
    return {key: plain(price[key]) for key in KEYS if key in price}


def plain(data):
    """Without the names of the constructors."""
    if isinstance(data, dict):
        return {key: plain(item) for key, item in data.items() if key != "is"}
    return [plain(item) for item in data] if isinstance(data, list) else data


def conditional(entry):
    constraint = plain(entry.get("constraint") or {})
    return constraint | ({"when": entry["when"]} if "when" in entry else {}) | {"prices": prices(entry["prices"])}


def model(info):
    periods = info["prices"]
    if not isinstance(periods, list):
        periods = [{"prices": periods}]
    variants = [conditional(variant) for variant in info.get("price_variants") or []]
    facts = {"id": info["id"], "match": plain(info["match"]), "prices": [conditional(period) for period in periods]}
    return facts | ({"variants": variants} if variants else {})


def main(wheel):
    with zipfile.ZipFile(wheel) as files:
        tree = ast.parse(files.read("genai_prices/data.py"))
        metadata = next(name for name in files.namelist() if name.endswith(".dist-info/METADATA"))
        head = files.read(metadata).decode().split("\n\n")[0]
    about = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
    providers = next(
        value(node.value) for node in tree.body if isinstance(node, ast.AnnAssign) and node.target.id == "providers"
    )
    by_id = {provider["id"]: provider for provider in providers}
    lines = []
    for name in PROVIDERS:
        provider = by_id[name]
        page = next(iter(provider.get("pricing_urls") or []), provider["name"])
        for info in provider["models"]:
            facts = {"provider": name, "page": page} | model(info)
            if any("input_mtok" in period["prices"] and "output_mtok" in period["prices"] for period in facts["prices"]):
                lines.append(json.dumps(facts, separators=(",", ":")))
    head = {
        "package": about["Name"],
        "version": about["Version"],
        "licence": about["License-Expression"],
        "home": "https://github.com/pydantic/genai-prices",
    }
    print(json.dumps(head)[:-1] + ', "models": [')
    print(",\n".join(lines))
    print("]}")


main(sys.argv[1])
