"""The folder of a result: whose it is is asked before it is written over."""

import json
from pathlib import Path

import pytest

from storage.errors import Hopeless
from storage.results.published import FILES, check_owner


def test_another_captures_result_is_not_written_over(tmp_path: Path) -> None:
    check_owner(tmp_path, "b.ser")
    for name in FILES:
        (tmp_path / name).touch()
    (tmp_path / "report.json").write_text(json.dumps({"capture": {"name": "a.ser"}}))
    check_owner(tmp_path, "a.ser")
    with pytest.raises(Hopeless, match=r"holds the result of a\.ser; choose another folder with --out"):
        check_owner(tmp_path, "b.ser")
    (tmp_path / "report.json").write_text(json.dumps({"capture": [1]}))
    check_owner(tmp_path, "b.ser")
