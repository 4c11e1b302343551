"""What mkdocs adds to the site: a page of all settings, read from configs/schema.py, and the schema of night.json."""

import ast
import re
import tomllib
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
SOURCES = ("configs/schema.py", "configs/finishing.py")
OUTSIDE = re.compile(r"\[([^\]]*)\]\(\.\./([^)]*)\)")
"""A link out of the documents, to a file of the repository."""


def on_files(files: Files, config: Any) -> Files:
    """Add the generated pages."""
    files.append(File.generated(config, "settings.md", content=settings_page()))
    schema = (ROOT / "storage/results/night.schema.json").read_text(encoding="utf-8")
    files.append(File.generated(config, "night.schema.json", content=schema))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Name files of the repository, which the site does not hold; the schema it does."""
    inside = markdown.replace("(../storage/results/night.schema.json)", "(night.schema.json)")
    return OUTSIDE.sub(r"\1 (`\2`)", inside)


def settings_page() -> str:
    """Every section of the configuration as a table: key, type, meaning; then the defaults as they are shipped."""
    parts = ["# Settings", "As they are typed: `--set section.key=value`, or in a file for `--config`."]
    for source in SOURCES:
        tree = ast.parse((ROOT / source).read_text(encoding="utf-8"))
        for node in (each for each in tree.body if isinstance(each, ast.ClassDef)):
            rows = list(_rows(node))
            if rows:
                parts += [
                    f"## {node.name}",
                    ast.get_docstring(node) or "",
                    "| key | type | meaning |\n|---|---|---|\n" + "\n".join(rows),
                ]
    defaults = (ROOT / "configs/default.toml").read_text(encoding="utf-8")
    tomllib.loads(defaults)
    return "\n\n".join([*parts, "## Defaults", f"```toml\n{defaults}```"]) + "\n"


def _rows(section: ast.ClassDef) -> Any:
    for node, after in zip(section.body, [*section.body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and isinstance(after, ast.Expr):
            kind = ast.unparse(node.annotation)
            if not kind.startswith("ClassVar") and isinstance(after.value, ast.Constant):
                meaning = " ".join(str(after.value.value).split()).replace("|", "\\|")
                yield f"| `{node.target.id}` | `{kind.replace('|', 'or')}` | {meaning} |"
