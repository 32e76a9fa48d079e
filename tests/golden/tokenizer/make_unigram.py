#!/usr/bin/env python3
"""Writes data/unigram/{siglip,bytes,words}: small unigram vocabularies in the layout of Hugging Face with
cases.jsonl, the ids that the `tokenizers` package gives. Also ../vision/siglip/tokenizer.json for the model there.

Usage: make_unigram.py   (needs tokenizers 0.23, sentencepiece 0.2; nothing is downloaded)
"""
import base64
import io
import json
import pathlib
import random

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
PUNCTUATION = r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]"""


def corpus():
    files = sorted((ROOT / "configs/notes").glob("*.md")) + sorted((ROOT / "configs/field/notes").glob("*.md"))
    return [line for f in files for line in f.read_text().splitlines() if line.strip()]


def charsmap():
    """SentencePiece's compiled table for a few rules of its own."""
    rules = "\n".join("\t".join(" ".join(f"{ord(c):X}" for c in side) for side in pair) for pair in (
        ("\u00e9", "e"), ("e\u0301", "E"), ("\ufb01", "fi"), ("\u00bd", "1/2"), ("\u3000", " "), ("\u00a0", " "),
        ("\u00ad", ""), ("\uff21", "A"), ("\u212b", "\u00c5"), ("\ud55c", "\u1112\u1161\u11ab"), ("ab", "X")))
    path = HERE / "rules.tsv"
    path.write_text(rules + "\n")
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus()), model_writer=model, vocab_size=300, normalization_rule_tsv=str(path),
        character_coverage=0.98, minloglevel=2)
    path.unlink()
    from sentencepiece import sentencepiece_model_pb2 as pb
    proto = pb.ModelProto()
    proto.ParseFromString(model.getvalue())
    return proto.normalizer_spec.precompiled_charsmap


def trained(normalizer, pre, vocab, specials):
    t = Tokenizer(models.Unigram())
    t.normalizer, t.pre_tokenizer = normalizer, pre
    t.train_from_iterator(corpus(), trainers.UnigramTrainer(vocab_size=vocab, special_tokens=specials, unk_token="<unk>",
                                                            show_progress=False))
    return json.loads(t.to_str())["model"]["vocab"]


def texts():
    chance = random.Random(5)
    out = ["", " ", "a", "The ferry leaves at nine.", "THE FERRY, leaves (at) nine!", "  two  spaces \t and\na tab  ",
           "caf\u00e9 cafe\u0301 \ufb01sh \u00bd \u3000wide\u00a0space", "\u6771\u4eac \U0001f30a wave", "\u2581already \u2581\u2581there",
           "it's <unk> or </s> or <pad>", "x" * 70, "\u0130stanbul \u00c5ngstr\u00f6m \u212b \uff21\uff22", "a\u00adb ab", "\ud55c\uad6d\uc5b4",
           "e\u0301\u0323\u0302", "\U0001f468\u200d\U0001f469\u200d\U0001f467 family", "[brackets] {and} ~tildes~ \\back", "</s>", "</s>a", "a</s> b",
           "\u03a3\u0391\u03a3 \u00df \u01c5", "0123456789 3.14", "\u0915\u094d\u0937\u093f", "new\r\nline", "\u2028sep"]
    words = " ".join(corpus()).split()
    letters = "abcdefgh \u00e9\u00df\u6c34\U0001f30a.,!-"
    for _ in range(60):
        out.append(" ".join(chance.choices(words, k=chance.randint(1, 12))))
        out.append("".join(chance.choices(letters, k=chance.randint(1, 24))))
    return out


def write(name, tokenizer):
    folder = HERE / "data/unigram" / name
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    t = Tokenizer.from_file(str(folder / "tokenizer.json"))
    with (folder / "cases.jsonl").open("w") as f:
        for text in texts():
            f.write(json.dumps({"text": text, "ids": t.encode(text).ids, "bare": t.encode(text, add_special_tokens=False).ids},
                               ensure_ascii=True) + "\n")


def build(vocab, unk, normalizer, pre, byte_fallback=False, specials=("<pad>", "</s>", "<unk>"), end="</s>"):
    t = Tokenizer(models.Unigram(vocab, unk_id=unk, byte_fallback=byte_fallback))
    t.normalizer, t.pre_tokenizer = normalizer, pre
    t.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in specials])
    if end:
        ids = {piece: i for i, (piece, _) in enumerate(vocab)}
        t.post_processor = processors.TemplateProcessing(single=f"$A {end}", special_tokens=[(end, ids[end])])
    return t


def siglip_like():
    normal = lambda: normalizers.Sequence([normalizers.Lowercase(), normalizers.Replace(Regex(PUNCTUATION), ""),
                                           normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip(True, True)])
    pre = lambda: pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    vocab = trained(normal(), pre(), 500, ["<pad>", "</s>", "<unk>"])
    write("siglip", build([tuple(v) for v in vocab], 2, normal(), pre()))


def with_bytes():
    table = charsmap()
    normal = lambda: normalizers.Sequence([normalizers.Precompiled(table), normalizers.Strip(False, True),
                                           normalizers.Replace(Regex(" {2,}"), "\u2581")])
    pre = lambda: pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    vocab = [tuple(v) for v in trained(normal(), pre(), 400, ["<pad>", "</s>", "<unk>"])]
    vocab = vocab[:3] + [(f"<0x{b:02X}>", 0.0) for b in range(256)] + vocab[3:]
    write("bytes", build(vocab, 2, normal(), pre(), byte_fallback=True))


def words():
    normal = lambda: normalizers.Sequence([normalizers.NFKC(), normalizers.Replace("``", '"')])
    pre = lambda: pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")])
    vocab = [tuple(v) for v in trained(normal(), pre(), 300, ["<s>", "<unk>"])]
    write("words", build(vocab, 1, normal(), pre(), specials=("<s>", "<unk>"), end=""))


def for_the_small_siglip():
    """100 pieces, so that "A photo, of CAT!" is row 0 of what ../vision/siglip/expected.safetensors was made from."""
    vocab = [(f"\u2581filler{i}", -12.0) for i in range(100)]
    for i, piece in {0: "<pad>", 1: "</s>", 2: "<unk>", 5: "\u2581a", 17: "\u2581photo", 99: "\u2581of", 3: "\u2581cat", 42: "\u2581boat"}.items():
        vocab[i] = (piece, 0.0 if i < 3 else -3.0 - i / 100)
    normal = normalizers.Sequence([normalizers.Lowercase(), normalizers.Replace(Regex(PUNCTUATION), ""),
                                   normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip(True, True)])
    t = build(vocab, 2, normal, pre_tokenizers.Metaspace(prepend_scheme="always"))
    assert t.encode("A photo, of CAT!").ids == [5, 17, 99, 3, 1]
    t.save(str(HERE.parent / "vision/siglip/tokenizer.json"), pretty=False)


siglip_like()
with_bytes()
words()
for_the_small_siglip()
