"""Model and count files: named arrays and a header in one file, written whole, checked when read.

The file is a zip as NumPy's `.npz`, uncompressed: `about.json` with the schema, its version, the
header, and of every array the type, the shape and the SHA-256 of its entries (row-major,
little-endian); then one member `NAME.npy` per array, in the order of names.  Equal contents give
equal bytes.  Nothing in it is ever executed: no pickle, no objects.   [D]
"""

from saffu.files.atomic import check_writable, write_whole
from saffu.files.contents import array_in, number_in, rows_in, whole_in
from saffu.files.layout import About, Stored
from saffu.files.reading import read_about, read_file
from saffu.files.writing import write_file

__all__ = [
    "About",
    "Stored",
    "array_in",
    "check_writable",
    "number_in",
    "read_about",
    "read_file",
    "rows_in",
    "whole_in",
    "write_file",
    "write_whole",
]
