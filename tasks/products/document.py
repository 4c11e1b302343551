"""docs/products.md from the declarations: `python -m tasks.products.document > docs/products.md`."""

from storage.declared import documented
from tasks.products.contents import OF_SEVERAL, STEPS

HEAD = """# What is in the files of the store

Every step leaves one HDF5 file, `STORE/STEP/KEY.h5`, readable with h5py or any HDF5 tool. This page is made from the
declarations in `tasks/products/contents.py`. Besides what is listed here every file has the attributes `recipe` (JSON:
version, arguments, inputs, capture), `seconds` (what the step took) and `stillsky_complete`.

A name with `/…` is a group: one array per channel, named 0, 1, 2. Spectra are half-planes of numpy's `rfft2` on the
square canvas of the solver. Rings are numbered by spatial frequency in cycles per canvas width, except where a meaning
says otherwise. `adu` are camera units, linear.
"""


def document() -> str:
    """The page as Markdown."""
    return "\n\n".join([HEAD.strip(), *(part for kind in (*STEPS, *OF_SEVERAL) for part in documented(kind))]) + "\n"


if __name__ == "__main__":
    print(document(), end="")
