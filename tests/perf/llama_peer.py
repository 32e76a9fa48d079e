#!/usr/bin/env python3
"""llama.cpp through llama-cpp-python, behind a pipe (compare starts it in the peer's environment).

Usage: llama_peer.py GGUF THREADS PROMPT. Loads once, says `"ready"`, then answers each line with a number:
"decode N SEED", "prefill N SEED", "batch N SEED": tokens a second of N tokens after PROMPT, of N fresh tokens, and of N
tokens of each of 8 sequences that decode together, in a context of their own as llama.cpp's batched example does it.
"shared FILE N", "apart FILE N": seconds for all prompts of the JSON file, N tokens each, one after the other; shared: the
package's own reuse of what a prompt and the one before have in common; apart: everything is computed."""
import json
import random
import sys
import time

import llama_cpp
import numpy
from llama_cpp import Llama

SEQUENCES = 8


class Peer:
    def __init__(self, path, threads, prompt):
        self.threads = threads
        self.llm = Llama(path, n_ctx=1024, n_batch=512, n_ubatch=512, n_threads=threads, n_threads_batch=threads, verbose=False)
        self.prompt = self.tokens_of(prompt)

    def tokens_of(self, text):
        return self.llm.tokenize(text.encode(), add_bos=True, special=False)

    def likeliest(self):
        return self.llm.sample(temp=0.0, repeat_penalty=1.0)

    def decode(self, count, _):
        self.llm.reset()
        self.llm.eval(self.prompt)
        token = self.likeliest()
        start = time.perf_counter()
        for _ in range(count - 1):
            self.llm.eval([token])
            token = self.likeliest()
        return (count - 1) / (time.perf_counter() - start)

    def prefill(self, count, seed):
        self.llm.reset()
        draw = random.Random(seed)
        tokens = [draw.randrange(1000, 40000) for _ in range(count)]
        start = time.perf_counter()
        self.llm.eval(tokens)
        self.likeliest()
        return count / (time.perf_counter() - start)

    def batch(self, count, _):
        params = llama_cpp.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch, params.n_seq_max = 4096, 512, 512, SEQUENCES
        params.n_threads = params.n_threads_batch = self.threads
        params.kv_unified = True
        context = llama_cpp.llama_init_from_model(self.llm.model, params)
        together = Together(context, self.llm.n_vocab())
        tokens = []
        for s in range(SEQUENCES):
            own = [*self.prompt, 300 + s]  # different texts
            together.forward([(t, i, s, i + 1 == len(own)) for i, t in enumerate(own)])
            tokens.append(together.likeliest(len(own) - 1))
        start = time.perf_counter()
        for step in range(count - 1):
            together.forward([(t, len(self.prompt) + 1 + step, s, True) for s, t in enumerate(tokens)])
            tokens = [together.likeliest(s) for s in range(SEQUENCES)]
        seconds = time.perf_counter() - start
        together.close()
        return SEQUENCES * (count - 1) / seconds

    def prompts(self, path, count, shared):
        with open(path) as file:
            prompts = [self.tokens_of(text) for text in json.load(file)["prompts"]]
        self.llm.reset()
        start = time.perf_counter()
        for tokens in prompts:
            if not shared:
                self.llm.reset()
            written = self.llm.generate(tokens, temp=0.0, repeat_penalty=1.0)
            for _ in range(count):
                next(written)
        return time.perf_counter() - start


class Together:
    """Several sequences in one context; a row is (token, position, sequence, whether its logits are wanted)."""

    def __init__(self, context, vocabulary):
        self.context, self.vocabulary = context, vocabulary
        self.batch = llama_cpp.llama_batch_init(512, 0, 1)

    def forward(self, rows):
        batch = self.batch
        batch.n_tokens = len(rows)
        for i, (token, position, sequence, wanted) in enumerate(rows):
            batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, position, 1
            batch.seq_id[i][0], batch.logits[i] = sequence, wanted
        if llama_cpp.llama_decode(self.context, batch) != 0:
            raise RuntimeError("llama_decode failed")

    def likeliest(self, i):
        row = llama_cpp.llama_get_logits_ith(self.context, i)
        return int(numpy.ctypeslib.as_array(row, shape=(self.vocabulary,)).argmax())

    def close(self):
        llama_cpp.llama_batch_free(self.batch)
        llama_cpp.llama_free(self.context)


def main():
    peer = Peer(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    print('"ready"', flush=True)
    for line in sys.stdin:
        what, first, second = line.split()
        if what in ("shared", "apart"):
            answer = peer.prompts(first, int(second), what == "shared")
        else:
            answer = {"decode": peer.decode, "prefill": peer.prefill, "batch": peer.batch}[what](int(first), int(second))
        print(answer, flush=True)


main()
