"""General text, on which a language model is trained first: what the packages' docstrings say below their summaries.

Text.     One document a docstring of a module, class or function: its paragraphs below the first, in their order, with
  parameters, notes and examples in code.  Documents below 200 characters are left out.
Disjoint. From the docstring pairs: first paragraphs and bodies are no part of it, and a paragraph that repeats a pair's
  prompt goes.  No response stands in it word for word; 3% of the prompts do, within lists of related functions.
  From the news: other sources.
Content.  About 7,600 documents, 10 million characters.  A paragraph that several docstrings share stays in the first.
Order.    That of the documents' SHA-256: whoever trains on the first ones only has a sample of all packages.
"""

from hashlib import sha256

from experiments.corpus.docstring_pairs import pair_of, summary_of
from experiments.corpus.sources import PACKAGES, documented

_SHORTEST = 200  # characters


def general_text(packages: tuple[str, ...] = PACKAGES) -> list[str]:
    """All documents of the packages.  Raises ValueError for a package that is not installed.

    Shares its reading of the sources with `docstring_pairs`, some 10 s for all six the first time in a process.
    """
    everything = documented(packages)
    pairs = [pair for found in everything if (pair := pair_of(found)) is not None]
    seen = {pair.prompt for pair in pairs}
    documents = []
    for found in everything:
        kept = []
        for paragraph in found.docstring.split("\n\n")[1:]:
            line = summary_of(paragraph)
            if line and line not in seen:
                seen.add(line)
                kept.append(paragraph.strip("\n"))
        document = "\n\n".join(kept)
        if len(document) >= _SHORTEST:
            documents.append(document)
    return sorted(documents, key=lambda document: sha256(document.encode("utf-8", "surrogatepass")).digest())
