"""Texts and pairs that every machine with the locked dependencies has offline, a tokeniser, and ways to spoil them."""
