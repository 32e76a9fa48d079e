#include "scheduler/decode/language_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "memory/base/checked.h"
#include "scheduler/decode/engine_core.h"
#include "scheduler/decode/text_assembler.h"

namespace consort {
namespace {

constexpr std::size_t kMaxCandidates = 4096;
constexpr int kMaxSessionBytes = 1 << 20;
constexpr std::size_t kMaxTopValues = 1u << 24;  // values that one logits request may bring back

Status check_tokens(const ModelInfo& info, std::span<const TokenId> tokens, std::string_view what) {
  if (tokens.empty()) return fail(ErrorKind::kInvalid, fmt::format("the {} has no tokens", what), info.id);
  for (const TokenId id : tokens)
    if (id < 0 || id >= info.vocab_size)
      return fail(
          ErrorKind::kInvalid,
          fmt::format("token id {} of the {} is outside the vocabulary of {}", id, what, info.vocab_size),
          info.id);
  return {};
}

Status check_length(const ModelInfo& info, std::size_t tokens, int context, std::string_view what) {
  if (tokens <= static_cast<std::size_t>(context)) return {};
  return fail(ErrorKind::kInvalid,
              fmt::format("the {} has {} tokens, the model's context holds {}", what, tokens, context),
              info.id, "shorten it");
}

}  // namespace

struct LanguageEngine::Impl {
  explicit Impl(std::unique_ptr<EngineCore> c) : core(std::move(c)) {}
  std::unique_ptr<EngineCore> core;
};

Result<std::shared_ptr<LanguageEngine>> LanguageEngine::create(std::unique_ptr<Model> model,
                                                               std::shared_ptr<const Tokenizer> tokenizer,
                                                               DevicePool& pool, EngineOptions options) {
  const ModelInfo& info = model->info();
  if (options.max_sequences < 1 || options.max_sequences > 4096 || options.max_queue < 1 ||
      options.prefill_chunk < 1 || options.busy_prefill_chunk < 1 || options.calm_step.count() < 1 ||
      options.busy_step.count() < 1 || options.score_rows < 1 || options.score_rows > 4096 ||
      options.max_context < 0)
    return fail(ErrorKind::kInvalid, "engine options are out of range", info.id);
  if (info.vocab_size < 1 || info.context_length < 1)
    return fail(
        ErrorKind::kInvalid,
        fmt::format("impossible model: vocabulary {}, context {}", info.vocab_size, info.context_length),
        info.id);
  const std::size_t budget = options.kv_max_bytes > 0 ? options.kv_max_bytes : pool.stats().limit_bytes;
  CONSORT_TRY(kv, KvCache::create(pool, model->kv_layout(), info.id, budget));
  const auto rows = static_cast<std::size_t>(options.max_sequences + kMaxFusedMembers + options.score_rows);
  CONSORT_TRY(logits, pool.reserve(rows * static_cast<std::size_t>(info.vocab_size) * sizeof(float),
                                   Owner{"logits", info.id}));
  auto core = std::make_unique<EngineCore>(std::move(model), std::move(tokenizer), pool, options,
                                           std::move(kv), std::move(logits));
  return std::shared_ptr<LanguageEngine>(new LanguageEngine(std::make_unique<Impl>(std::move(core))));
}

LanguageEngine::LanguageEngine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LanguageEngine::~LanguageEngine() = default;

Status LanguageEngine::submit(GenerateJob job, JobTicket ticket) {
  CONSORT_CHECK_OK(check_tokens(info(), job.prompt, "prompt"));
  CONSORT_CHECK_OK(check_length(info(), job.prompt.size(), context_length(), "prompt"));
  CONSORT_CHECK_OK(check_stops(job.stop));
  if (job.max_tokens < 1)
    return fail(ErrorKind::kInvalid, fmt::format("max-tokens is {}, at least 1 is needed", job.max_tokens));
  CONSORT_TRY(sampler, Sampler::create(job.sampling, info().vocab_size));
  return impl_->core->enqueue(make_run(std::move(job), std::move(sampler), std::move(ticket)));
}

Status LanguageEngine::submit(FuseJob job, JobTicket ticket) {
  if (job.members.empty() || job.members.size() > static_cast<std::size_t>(kMaxFusedMembers))
    return fail(ErrorKind::kInvalid,
                fmt::format("{} members in lock step, 1 to {} are allowed", job.members.size(), kMaxFusedMembers));
  for (const FuseJob::Member& m : job.members) {
    CONSORT_CHECK_OK(check_tokens(info(), m.prompt, "prompt"));
    CONSORT_CHECK_OK(check_length(info(), m.prompt.size(), context_length(), "prompt"));
    if (!(m.temperature > 0 && m.temperature <= 1e6))
      return fail(ErrorKind::kInvalid, "a member's temperature must be above 0", "temperature",
                  "greedy is the combination's choice: give it temperature 0");
  }
  CONSORT_CHECK_OK(check_stops(job.stop));
  if (job.max_tokens < 1)
    return fail(ErrorKind::kInvalid, fmt::format("max-tokens is {}, at least 1 is needed", job.max_tokens));
  CONSORT_TRY(combiner, ByteCombiner::create(job.combiner, job.members.size()));
  CONSORT_TRY(sampler, Sampler::create(job.sampling, info().vocab_size));
  return impl_->core->enqueue(
      make_run(std::move(job), std::move(sampler), std::move(combiner), std::move(ticket)));
}

Status LanguageEngine::submit(ScoreJob job, JobTicket ticket) {
  CONSORT_CHECK_OK(check_tokens(info(), job.prompt, "prompt"));
  if (job.candidates.empty() || job.candidates.size() > kMaxCandidates ||
      job.bytes.size() != job.candidates.size())
    return fail(ErrorKind::kInvalid, fmt::format("{} candidates to score, 1 to {} are allowed",
                                                 job.candidates.size(), kMaxCandidates));
  for (std::size_t i = 0; i < job.candidates.size(); ++i) {
    const std::string what = fmt::format("candidate {}", i);
    CONSORT_CHECK_OK(check_tokens(info(), job.candidates[i], what));
    CONSORT_CHECK_OK(check_length(info(), job.prompt.size() + job.candidates[i].size(), context_length(),
                                  "prompt with " + what));
  }
  return impl_->core->enqueue(make_run(std::move(job), std::move(ticket)));
}

Status LanguageEngine::submit(ScoreTextJob job, JobTicket ticket) {
  CONSORT_CHECK_OK(check_tokens(info(), job.tokens, "text"));
  if (job.bos) CONSORT_CHECK_OK(check_tokens(info(), std::span(&*job.bos, 1), "BOS"));
  if (job.context == 0) job.context = context_length();
  if (job.context < 2 || job.context > context_length())
    return fail(ErrorKind::kInvalid,
                fmt::format("a context of {} tokens, 2 to {} are allowed", job.context, context_length()),
                info().id);
  return impl_->core->enqueue(make_run(std::move(job), std::move(ticket)));
}

Status LanguageEngine::submit(LogitsJob job, JobTicket ticket) {
  CONSORT_CHECK_OK(check_tokens(info(), job.tokens, "prompt"));
  CONSORT_CHECK_OK(check_length(info(), job.tokens.size(), context_length(), "prompt"));
  const auto values = checked_mul(job.tokens.size(), static_cast<std::size_t>(std::max(job.top, 0)));
  if (job.top < 1 || job.top > info().vocab_size || !values || *values > kMaxTopValues)
    return fail(ErrorKind::kInvalid,
                fmt::format("top {} of {} positions is out of range", job.top, job.tokens.size()));
  return impl_->core->enqueue(make_run(std::move(job), info().vocab_size, std::move(ticket)));
}

Status LanguageEngine::submit(NextTokensJob job, JobTicket ticket) {
  CONSORT_CHECK_OK(check_tokens(info(), job.tokens, "prompt"));
  CONSORT_CHECK_OK(check_length(info(), job.tokens.size(), context_length(), "prompt"));
  if (job.top < 0 || job.top > kMaxNextStrings || job.wanted.size() > kMaxNextStrings)
    return fail(ErrorKind::kInvalid, fmt::format("at most {} next strings can be asked for", kMaxNextStrings),
                info().id);
  for (const TokenAlternatives& ids : job.wanted)
    if (!ids.empty()) CONSORT_CHECK_OK(check_tokens(info(), ids, "wanted string"));
  return impl_->core->enqueue(make_run(std::move(job), std::move(ticket)));
}

Status LanguageEngine::submit(ByteScoreJob job, JobTicket ticket) {
  CONSORT_CHECK_OK(check_tokens(info(), job.tokens, "text"));
  CONSORT_CHECK_OK(check_cover(job.cover));
  if (job.bos) CONSORT_CHECK_OK(check_tokens(info(), std::span(&*job.bos, 1), "BOS"));
  if (job.context == 0) job.context = context_length();
  if (job.context < 2 || job.context > context_length())
    return fail(ErrorKind::kInvalid,
                fmt::format("a context of {} tokens, 2 to {} are allowed", job.context, context_length()),
                info().id);
  if (!job.prompt.empty()) {  // it stands before every chunk, which has a token of the text at least
    CONSORT_CHECK_OK(check_tokens(info(), job.prompt, "prompt"));
    CONSORT_CHECK_OK(
        check_length(info(), job.prompt.size() + 1, job.context, "prompt with a token of its text"));
  }
  std::size_t bytes = 0;
  for (const TokenId id : job.tokens) {
    const std::string own = tokenizer().token_bytes(id);
    if (own.empty() || job.text.compare(bytes, own.size(), own) != 0)
      return fail(ErrorKind::kInvalid, fmt::format("byte {} of the text has no token", bytes), info().id,
                  "the model cannot say how likely this text is");
    bytes += own.size();
  }
  if (bytes != job.text.size() || job.hidden > bytes)
    return fail(ErrorKind::kInvalid, fmt::format("byte {} of the text has no token", bytes), info().id,
                "the model cannot say how likely this text is");
  return impl_->core->enqueue(make_run(std::move(job), std::move(ticket)));
}

Status LanguageEngine::submit(ByteSessionJob job, JobTicket ticket) {
  CONSORT_CHECK_OK(check_tokens(info(), job.prompt, "prompt"));
  CONSORT_CHECK_OK(check_length(info(), job.prompt.size(), context_length(), "prompt"));
  CONSORT_CHECK_OK(check_cover(job.cover));
  if (job.max_bytes < 1 || job.max_bytes > kMaxSessionBytes)
    return fail(ErrorKind::kInvalid,
                fmt::format("a session of {} bytes, 1 to {} are allowed", job.max_bytes, kMaxSessionBytes));
  if (job.max_strands < 1 || job.max_strands > kMaxStrands)
    return fail(ErrorKind::kInvalid,
                fmt::format("a session of {} strands, 1 to {} are allowed", job.max_strands, kMaxStrands));
  if (job.rewind < 0 || job.rewind > kMaxRewind)
    return fail(ErrorKind::kInvalid, fmt::format("0 to {} bytes can be taken back", kMaxRewind));
  return impl_->core->enqueue(make_run(std::move(job), std::move(ticket)));
}

void LanguageEngine::poke() {
  impl_->core->poke();
}

void LanguageEngine::close() {
  impl_->core->close();
}
bool LanguageEngine::idle() const {
  return impl_->core->idle();
}
void LanguageEngine::set_waker(std::function<void()> wake) {
  impl_->core->set_waker(std::move(wake));
}
const ModelInfo& LanguageEngine::info() const {
  return impl_->core->model_info();
}
const Tokenizer& LanguageEngine::tokenizer() const {
  return impl_->core->model_tokenizer();
}
const ByteVocabulary& LanguageEngine::byte_vocabulary() {
  return impl_->core->byte_vocabulary();
}
int LanguageEngine::context_length() const {
  return impl_->core->context();
}
EngineStats LanguageEngine::stats() const {
  return impl_->core->stats();
}
KvCache& LanguageEngine::kv() {
  return impl_->core->kv();
}
StepWorker::Need LanguageEngine::need() {
  return impl_->core->need();
}
void LanguageEngine::set_turn(TurnLength length) {
  impl_->core->set_turn(length);
}
void LanguageEngine::step(Exec& exec) {
  impl_->core->step(exec);
}
bool LanguageEngine::relieve(std::size_t bytes) {
  return impl_->core->relieve(bytes);
}

}  // namespace consort
