"""A zip file whose entries are streamed through ISA-L.

The file is seekable, so an entry's sizes are written into its header afterwards: no data
descriptor, which some readers refuse. Zip64 records are written only where they are needed.

Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.3.
"""

import struct
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from isal import isal_zlib

LEVEL = 1
RAW_DEFLATE = -15
DEFLATED = 8
VERSION = 20
VERSION_ZIP64 = 45
UNIX = 3 << 8
LIMIT_32 = 0xFFFFFFFF
LIMIT_16 = 0xFFFF

_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_CENTRAL_HEADER = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_ZIP64_END = struct.Struct("<4sQ2H2L4Q")
_ZIP64_LOCATOR = struct.Struct("<4sLQL")

# Room in a local header for zip64 sizes that may turn out to be needed: until then, the padding
# that the Open Packaging Conventions provide. Source: ECMA-376 part 2, annex C, 0xA220
_ZIP64_SIZES = struct.Struct("<2H2Q")
_PADDING = struct.pack("<4H12x", 0xA220, 16, 0xA028, 0)


@dataclass
class _Entry:
    name: bytes
    offset: int
    crc: int = 0
    size: int = 0
    compressed: int = 0


class ZipWriter:
    """Writes a zip file from its first byte to its last; one entry at a time.

    Args:
        file: open for writing, seekable, at position 0.
        modified_at: of every entry; the zone is not kept.
        limit: sizes and offsets from here on need zip64.
    """

    def __init__(self, file: BinaryIO, modified_at: datetime, *, limit: int = LIMIT_32) -> None:
        self._file = file
        self._time = modified_at.hour << 11 | modified_at.minute << 5 | modified_at.second // 2
        year = max(modified_at.year - 1980, 0)
        self._date = year << 9 | modified_at.month << 5 | modified_at.day
        self._limit = limit
        self._entries: list[_Entry] = []

    def begin(self, name: str) -> None:
        """Begin an entry; `write` appends to it, `end` ends it."""
        entry = _Entry(name.encode("ascii"), self._file.tell())
        self._entries.append(entry)
        self._file.write(self._local_header(entry) + entry.name + _PADDING)
        self._deflate = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, RAW_DEFLATE)

    def write(self, content: bytes) -> None:
        """Append to the entry."""
        entry = self._entries[-1]
        entry.crc = isal_zlib.crc32(content, entry.crc)
        entry.size += len(content)
        self._put(self._deflate.compress(content))

    def end(self) -> None:
        """End the entry and write its sizes into its header."""
        self._put(self._deflate.flush())
        entry, end = self._entries[-1], self._file.tell()
        self._file.seek(entry.offset)
        self._file.write(self._local_header(entry) + entry.name + self._local_extra(entry))
        self._file.seek(end)

    def close(self) -> None:
        """Write the directory."""
        start = self._file.tell()
        for entry in self._entries:
            self._file.write(self._central_header(entry))
        size, count = self._file.tell() - start, len(self._entries)
        if start >= self._limit or size >= self._limit or count >= LIMIT_16:
            at = start + size
            self._file.write(
                _ZIP64_END.pack(
                    b"PK\6\6", _ZIP64_END.size - 12, UNIX | VERSION_ZIP64, VERSION_ZIP64, 0, 0,
                    count, count, size, start,
                )
                + _ZIP64_LOCATOR.pack(b"PK\6\7", 0, at, 1)
            )  # fmt: skip
            start, size, count = LIMIT_32, LIMIT_32, LIMIT_16
        self._file.write(_END.pack(b"PK\5\6", 0, 0, count, count, size, start, 0))

    def _put(self, compressed: bytes) -> None:
        self._entries[-1].compressed += len(compressed)
        self._file.write(compressed)

    def _is_large(self, entry: _Entry) -> bool:
        return entry.size >= self._limit or entry.compressed >= self._limit

    def _local_header(self, entry: _Entry) -> bytes:
        version = VERSION_ZIP64 if self._is_large(entry) else VERSION
        return _LOCAL_HEADER.pack(b"PK\3\4", version, *self._facts(entry), len(_PADDING))

    def _local_extra(self, entry: _Entry) -> bytes:
        if self._is_large(entry):
            return _ZIP64_SIZES.pack(1, 16, entry.size, entry.compressed)
        return _PADDING

    def _central_header(self, entry: _Entry) -> bytes:
        large, far = self._is_large(entry), entry.offset >= self._limit
        values = [entry.size, entry.compressed] if large else []
        values += [entry.offset] if far else []
        extra = struct.pack(f"<2H{len(values)}Q", 1, 8 * len(values), *values) if values else b""
        version = VERSION_ZIP64 if values else VERSION
        offset = LIMIT_32 if far else entry.offset
        header = _CENTRAL_HEADER.pack(
            b"PK\1\2", UNIX | version, version, *self._facts(entry), len(extra), 0, 0, 0, 0, offset
        )
        return header + entry.name + extra

    def _facts(self, entry: _Entry) -> tuple[int, ...]:
        """What both headers say: flags, method, time, date, CRC, sizes and the name's length."""
        large = self._is_large(entry)
        compressed, size = (LIMIT_32, LIMIT_32) if large else (entry.compressed, entry.size)
        when = (self._time, self._date)
        return (0, DEFLATED, *when, entry.crc, compressed, size, len(entry.name))
