"""One file for one record: named arrays and a header, written whole, checked when read.

The file is a zip as NumPy's `.npz`, uncompressed: `about.json` with the schema, its version, the
header, and of every array the type, the shape and the SHA-256 of its entries (row-major,
little-endian); then a member `NAME.npy` for each array, in the order of names.  Equal contents give
equal bytes.  Nothing in it is ever executed: no pickle, no objects.   [D]
"""

from saffu.files.atomic import write_whole
from saffu.files.layout import About, Stored
from saffu.files.reading import read_about, read_file
from saffu.files.writing import write_file

__all__ = ["About", "Stored", "read_about", "read_file", "write_file", "write_whole"]
