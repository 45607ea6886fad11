"""Rows of NumPy files: the first axis of a .npy, or of one array of a .npz.

No pickle is loaded and no shape believed: the header is read, held against the bytes that are there, and the numbers
are then a view of the file's memory map (of a compressed .npz, of the member's bytes).
"""

import io
import math
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Int, Shaped
from numpy.lib import format as npy_format

from experiments.selection.file_rows import Asked, Content, Rows

_HEADER_BYTES = 1 << 16
_BLOCK_BYTES = 1 << 24
_LOCAL_HEADER_BYTES = 30  # of a member of a zip file, before its name
_DAMAGED_ZIP = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


def npy_rows(content: Content, asked: Asked) -> Rows:
    """The rows of a .npy file (n, ...)."""
    array = _array(content.data, content.name)
    return _rows(array, content.name)._replace(pick=lambda indices: _npy_pieces(array, indices))


def npz_rows(content: Content, asked: Asked) -> Rows:
    """The rows of one array of a .npz file; picking takes the same rows of every array of as many (labels)."""
    try:
        archive = zipfile.ZipFile(content.stream)
        name = _member([info.filename for info in archive.infolist()], asked.array, content.name)
        array = _array(_member_bytes(content, archive, name), f"{name} of {content.name}")
    except _DAMAGED_ZIP as error:
        raise ValueError(f"{content.name} must be a whole .npz archive, but: {error}") from error

    def pick(indices: Int[np.ndarray, " k"]) -> Iterator[bytes]:
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as chosen:
            for info in archive.infolist():
                entry = zipfile.ZipInfo(info.filename)
                entry.compress_type = info.compress_type
                member = _member_bytes(content, archive, info.filename)
                beside = _array(member, f"{info.filename} of {content.name}")
                follows = beside.ndim > 0 and len(beside) == len(array)
                with chosen.open(entry, "w", force_zip64=True) as stream:
                    for piece in _npy_pieces(beside, indices) if follows else [member]:
                        stream.write(piece)
        yield made.getvalue()

    return _rows(array, f"{name} of {content.name}")._replace(pick=pick)


def _rows(array: Shaped[np.ndarray, "..."], name: str) -> Rows:
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must hold real numbers, but holds {array.dtype}")
    if array.ndim < 2 or 0 in array.shape:
        raise ValueError(
            f"{name} must have rows and columns (n, d), at least one of each, but has the shape {array.shape}"
        )
    table = array.reshape(len(array), -1)
    return Rows(len(table), lambda indices: iter(()), vectors=table)


def _array(data: Any, name: str) -> Shaped[np.ndarray, "..."]:
    """The array whose .npy bytes these are, not copied. Raises ValueError unless it is whole and free of objects."""
    stream = io.BytesIO(data[:_HEADER_BYTES])
    try:
        version = npy_format.read_magic(stream)
        read_header = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}[version]
        shape, fortran_order, dtype = read_header(stream)
        plain = min(shape, default=0) >= 0 and dtype.itemsize > 0
    except Exception as error:  # numpy evaluates the header, and what it raises for a hostile one has no common class
        raise ValueError(f"{name} must be a .npy file, but its header cannot be read") from error
    if dtype.hasobject:
        raise ValueError(f"{name} must hold plain numbers, but holds Python objects, which are never loaded")
    available = len(data) - stream.tell()
    if not plain or math.prod(shape) * dtype.itemsize > available:
        raise ValueError(f"{name} must hold the shape {shape} of {dtype} that it declares, but has {available} bytes")
    flat = np.frombuffer(data, dtype, count=math.prod(shape), offset=stream.tell())
    return flat.reshape(shape, order="F" if fortran_order else "C")


def _npy_pieces(array: Shaped[np.ndarray, "n ..."], indices: Int[np.ndarray, " k"]) -> Iterator[bytes]:
    """A .npy file of these rows, in the array's own dtype."""
    header = io.BytesIO()
    description = {
        "descr": npy_format.dtype_to_descr(array.dtype),
        "fortran_order": False,
        "shape": (len(indices), *array.shape[1:]),
    }
    npy_format.write_array_header_1_0(header, description)
    yield header.getvalue()
    rows = max(1, _BLOCK_BYTES * len(array) // max(1, array.nbytes))
    for start in range(0, len(indices), rows):
        yield array[indices[start : start + rows]].tobytes()


def _member(names: list[str], asked: str | None, source: str) -> str:
    arrays = [name.removesuffix(".npy") for name in names if name.endswith(".npy")]
    if not arrays:
        raise ValueError(f"{source} must hold an array, but holds none")
    if asked is None and len(arrays) > 1:
        raise ValueError(f"the array of {source} must be named with --array, since it holds {', '.join(arrays)}")
    if asked is not None and asked not in arrays:
        raise ValueError(f"the array must be one of {', '.join(arrays)} in {source}, but was {asked!r}")
    return f"{asked or arrays[0]}.npy"


def _member_bytes(content: Content, archive: zipfile.ZipFile, name: str) -> Any:
    """A member's bytes: of one that is stored as it is, a view of the archive's."""
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
        return archive.read(info)
    local = content.data[info.header_offset : info.header_offset + _LOCAL_HEADER_BYTES]
    if len(local) < _LOCAL_HEADER_BYTES:
        raise zipfile.BadZipFile(f"{name} is missing")
    # Two lengths, of the name and of what follows it, end the local header.
    start = info.header_offset + _LOCAL_HEADER_BYTES
    start += int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:30], "little")
    return memoryview(content.data)[start : start + info.file_size]
