#include "scheduler/decode/text_writer.h"

namespace consort {

bool TextWriter::ends(const RunHost& host, TokenId id) const {
  return !job_.ignore_eos && host.model_tokenizer().is_end_of_generation(id);
}

const char* TextWriter::take(const RunHost& host, TokenId id, std::span<Sequence* const> sequences,
                             Usage& usage) {
  if (ends(host, id)) return "stop";
  sampler_.accept(id);
  ++usage.completion_tokens;
  bool full = false;
  for (Sequence* s : sequences) {
    s->tokens.push_back(id);
    full = full || static_cast<int>(s->tokens.size()) > host.context();
  }
  if (text_.add(id, host.model_tokenizer().token_bytes(id))) return "stop";
  if (usage.completion_tokens >= job_.max_tokens || full) return "length";
  publish(false);
  return nullptr;
}

void TextWriter::finish(const char* reason, GenerateResult& result) {
  publish(true);
  result.text = text_.text();
  result.token_ids = text_.ids();
  result.finish_reason = reason;
}

void TextWriter::publish(bool all) {
  const TextAssembler::Piece piece = text_.take(all);
  if (job_.on_text && !(piece.text.empty() && piece.ids.empty())) job_.on_text(piece.text, piece.ids);
}

}  // namespace consort
