"""page.py PAGE [REPORT]: a page that needs nothing else, and its figures are those of the report.
page.py --data PAGE prints its data."""
import base64
import hashlib
import json
import re
import sys
from html.parser import HTMLParser


class Reader(HTMLParser):
    """What a browser would make of it: elements with their attributes, scripts with their text."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.elements, self.inside, self.texts = [], None, []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.inside = (tag, dict(attrs)) if tag in ("script", "style") else None
        if self.inside:
            self.texts.append((tag, dict(attrs), ""))

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, data):
        if self.inside:
            tag, attrs, text = self.texts[-1]
            self.texts[-1] = (tag, attrs, text + data)


show = sys.argv[1] == "--data"
page = open(sys.argv[2 if show else 1], "rb").read().decode("utf-8")  # valid, whatever the names
reader = Reader()
reader.feed(page)
blocks = [t for tag, attrs, t in reader.texts if attrs.get("type") == "application/json"]
assert len(blocks) == 1, f"{len(blocks)} blocks of data"
assert "<" not in blocks[0], "the data can end its element"
data = json.loads(blocks[0])
if show:
    print(json.dumps(data))
    sys.exit()

# Nothing is fetched, and nothing is run but what the policy names.
scripts = [t for tag, attrs, t in reader.texts if tag == "script" and "type" not in attrs]
styles = [t for tag, attrs, t in reader.texts if tag == "style"]
assert len(scripts) == 1 and len(styles) == 1, f"{len(scripts)} scripts, {len(styles)} styles"
policy = next(a["content"] for t, a in reader.elements
              if t == "meta" and a.get("http-equiv") == "Content-Security-Policy")
for kind, text in (("script-src", scripts[0]), ("style-src", styles[0])):
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    assert f"{kind} 'sha256-{digest}'" in policy, f"{kind} is not what the policy names"
assert "default-src 'none'" in policy and "unsafe" not in policy, policy
for tag, attrs in reader.elements:
    assert "src" not in attrs and tag not in ("link", "img", "iframe", "base"), (tag, attrs)
    assert attrs.get("href", "#").startswith("#"), attrs
assert not re.search(r"@import|url\((?!data:)", styles[0]), "the style fetches"
assert len(page) - len(blocks[0]) < 400_000, "the page itself has grown"



def tree(of):
    """Parent and frame of each node."""
    parents, frames, nodes, at = [0], [0], of["nodes"], 0
    while at < len(nodes):
        parent, count = nodes[at:at + 2]
        for frame in nodes[at + 2:at + 2 + count]:
            parents.append(parent)
            frames.append(frame)
            parent = len(parents) - 1
        at += 2 + count
    assert len(parents) == of["node_count"] + 1
    return parents, frames


report = json.load(open(sys.argv[2], encoding="utf-8"))
if "diff" in data:
    mine = data["diff"]
    for same in ("per", "before", "after", "figures", "findings", "sites_compared", "sites_changed"):
        assert mine[same] == report[same], same
    parents, frames = tree(mine)
    sites = [dict(zip(mine["site_columns"], row)) for row in mine["sites"]]
    assert len(sites) == mine["sites_compared"] and [s["id"] for s in sites] == list(range(1, len(sites) + 1))
    for site in sites:
        for text in ("verdict", "codec", "codec_function", "role"):
            site[text] = mine["texts"][site[text]] or None
        site["stack"], node = [], site["node"]
        while node:
            f = mine["frames"][5 * (frames[node] - 1):][:2]
            site["stack"].append((mine["texts"][f[0]], mine["texts"][f[1]] or None))
            node = parents[node]
    changed = [s for s in sites if s["verdict"] != "same"]
    assert changed == sites[:len(changed)] and len(changed) == mine["sites_changed"]
    for a, b in zip(changed, report["sites"]):
        for same in ("verdict", "before", "after", "error", "codec", "codec_function", "role"):
            assert a[same] == b[same], (a["id"], same)
        for side in ("before", "after"):
            for mine_name, name in (("allocs", "allocs"), ("bytes", "bytes"), ("live", "live_bytes"), ("time", "allocator_ns")):
                assert a[f"{mine_name}_{side}"] == b[f"recorded_{side}"][name], (a["id"], name, side)
        assert len(a["stack"]) == len(b["stack"]), a["id"]
        for f, g in zip(a["stack"], b["stack"]):
            assert f[1] == g["module"] and (g["function"] is None or f[0] == g["function"]), (f, g)
    sys.exit()
assert len(data["processes"]) == len(report["processes"]) > 0
for mine, theirs in zip(data["processes"], report["processes"]):
    for same in ("totals", "threads", "timeline", "findings", "visibility", "argv"):
        assert mine[same] == theirs[same], same
    column = {name: i for i, name in enumerate(mine["site_columns"])}
    parents, frames = tree(mine)
    assert len(mine["sites"]) == len(theirs["sites"])
    for row, site in zip(mine["sites"], theirs["sites"]):
        for name in ("id", "allocs", "frees", "bytes", "freed_bytes", "live_bytes", "live_blocks",
                     "allocator_ns", "remote_frees", "transient", "mmapped"):
            assert row[column[name]] == site[name], (site["id"], name)
        rows = row[column["threads"]]
        by_thread = {t["row"]: 0 for t in site["threads"]}
        for t in site["threads"]:
            by_thread[t["row"]] += t["bytes"]
        got = {rows[0]: site["bytes"]} if len(rows) == 1 else {}
        for i in range(0, len(rows) - 4, 5):
            got[rows[i]] = got.get(rows[i], 0) + rows[i + 2]
        assert got == by_thread, (site["id"], got, by_thread)
        stack, node = [], row[column["node"]]
        while node:
            f = mine["frames"][5 * (frames[node] - 1):][:5]
            stack.append((mine["texts"][f[0]], mine["texts"][f[1]] or None, f[3] or None))
            node = parents[node]
        wanted = [(f["function"], f["module"], f["line"]) for f in site["stack"]]
        assert len(stack) == len(wanted), site["id"]
        for a, b in zip(stack, wanted):
            assert a[1:] == b[1:] and (b[0] is None or a[0] == b[0]), (a, b)
