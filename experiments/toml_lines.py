"""On which line of a TOML file each key stands, which tomllib does not tell.

Only for text that tomllib has read: a valid document needs no more than a scan for where keys and values begin and end.
"""

import re
import tomllib
from bisect import bisect_left

Path = tuple[str | int, ...]
"""Keys, and numbers (from 0) of the elements of a list or an array of tables, from the root down."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*'""")
_STRING = re.compile(r'''"""(?:\\.|[^\\])*?"""(?!")|\'\'\'.*?\'\'\'(?!\')|"(?:[^"\\]|\\.)*"|'[^']*\'''', re.DOTALL)
_SCALAR = re.compile(r"[^,\]}#\r\n]+")


def key_lines(text: str) -> dict[Path, int]:
    """The line, from 1, of every key, table and list element of a valid document, by its path.

    In the order of the document. A key that several lines name, as dotted keys do a table, is where it is named first.
    """
    return _Scan(text).document()


class _Scan:
    def __init__(self, text: str) -> None:
        self.text, self.place = text, 0
        self.ends = [match.start() for match in re.finditer("\n", text)]
        self.lines: dict[Path, int] = {}
        self.tables: dict[Path, int] = {}  # how many tables each array of tables has so far

    def document(self) -> dict[Path, int]:
        table: Path = ()
        while not self._at_end():
            if self._next_is("[["):
                table = self._header(array=True)
            elif self._next_is("["):
                table = self._header(array=False)
            else:
                self._pair(table)
        return self.lines

    def _header(self, *, array: bool) -> Path:
        self.place += 2 if array else 1
        line, keys = self._line(), self._keys()
        self.place += 2 if array else 1
        path: Path = ()
        for number, key in enumerate(keys, start=1):
            path = self._named((*path, key), line)
            if array and number == len(keys):
                self.tables[path] = self.tables.get(path, 0) + 1
            if path in self.tables:
                path = self._named((*path, self.tables[path] - 1), line)
        return path

    def _pair(self, table: Path) -> None:
        line, path = self._line(), table
        for key in self._keys():
            path = self._named((*path, key), line)
        self.place += 1  # the sign of equality
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip_blank()
        opening = self.text[self.place]
        if opening == "[":
            self._inside(path, "]", keyed=False)
        elif opening == "{":
            self._inside(path, "}", keyed=True)
        else:
            found = (_STRING if opening in "\"'" else _SCALAR).match(self.text, self.place)
            assert found, "a valid document has a value here"
            self.place = found.end()

    def _inside(self, path: Path, closing: str, *, keyed: bool) -> None:
        """The elements of a list, or the pairs of an inline table, up to the closing bracket."""
        self.place += 1
        number = 0
        while not (self._skip_blank() or self._next_is(closing)):
            if keyed:
                self._pair(path)
            else:
                self._value(self._named((*path, number), self._line()))
            number += 1
            self._skip_blank()
            self.place += self._next_is(",")
        self.place += 1

    def _keys(self) -> list[str]:
        """A key, dotted or not, with the blank on either side."""
        keys: list[str] = []
        while True:
            self._skip_blank()
            found = _KEY.match(self.text, self.place)
            assert found, "a valid document has a key here"
            quoted = found.group()[0] in "\"'"
            keys.append(tomllib.loads(f"key = {found.group()}")["key"] if quoted else found.group())
            self.place = found.end()
            self._skip_blank()
            if not self._next_is("."):
                return keys
            self.place += 1

    def _named(self, path: Path, line: int) -> Path:
        self.lines.setdefault(path, line)
        return path

    def _line(self) -> int:
        self._skip_blank()
        return bisect_left(self.ends, self.place) + 1

    def _skip_blank(self) -> None:
        found = _BLANK.match(self.text, self.place)
        assert found
        self.place = found.end()

    def _at_end(self) -> bool:
        self._skip_blank()
        return self.place == len(self.text)

    def _next_is(self, sign: str) -> bool:
        return self.text.startswith(sign, self.place)
