// TextWriter: a text that one drawn token after the other is added to, and when it ends. Internal to
// scheduler/decode; the lane's thread.
#pragma once

#include <span>

#include "scheduler/decode/run.h"
#include "scheduler/decode/text_assembler.h"

namespace consort {

class TextWriter {
 public:
  // The job must outlive it.
  TextWriter(const WritingJob& job, Sampler sampler)
      : job_(job), sampler_(std::move(sampler)), text_(job.stop) {}

  Sampler& sampler() { return sampler_; }
  const Sampler& sampler() const { return sampler_; }
  // Whether the text ends with `id`, which then is no part of it.
  bool ends(const RunHost& host, TokenId id) const;
  // Adds `id` to the text and to every sequence. Why the text ends with it ("stop", "length"), or null.
  const char* take(const RunHost& host, TokenId id, std::span<Sequence* const> sequences, Usage& usage);
  // Hands the rest out; text, ids and the reason into `result`.
  void finish(const char* reason, GenerateResult& result);

 private:
  void publish(bool all);

  const WritingJob& job_;
  Sampler sampler_;
  TextAssembler text_;
};

}  // namespace consort
