// bench gaps: what a conversation notices of a bulk ingestion in the same engine. A language model talks, its
// answers streaming through the bus as agents get them, first alone and then while `consort memory ingest`'s
// own function reads texts into a retrieval memory; what is reported are the pauses between the tokens as
// they arrive at the caller. Rounds alternate: the conversation alone, an ingestion alone, both.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "agents/calls/ingest.h"
#include "agents/calls/memory_search.h"
#include "kernels/cpu/isa.h"
#include "memory/retrieval/retrieval.h"
#include "protocols/cli/commands/bench_inputs.h"
#include "protocols/cli/commands/bench_scratch.h"
#include "protocols/cli/commands/bench_tools.h"
#include "protocols/cli/commands/model_files.h"
#include "scheduler/lane/lane.h"

namespace consort::bench {
namespace {

constexpr const char* kQuestions[] = {
    "What does a lighthouse keeper do in winter?", "And what has to be written down every evening?",
    "Who would read such a log today?", "Give the first three lines that you would write yourself."};
constexpr int kIdleConversations = 2;  // a round
constexpr std::size_t kTextsPerFile = 100;
constexpr std::size_t kQueries = 32;                              // of the whole search, at the end
constexpr const char *kTogether = "together", *kAlone = "alone";  // namespaces of the memory

double quantile(const std::vector<double>& sorted, double q) {  // nearest rank
  const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(sorted.size())));
  return sorted[std::clamp<std::size_t>(rank, 1, sorted.size()) - 1];
}

// Pauses between the arrivals of one answer's tokens, over all answers. `first_ms`: from the question to the
// first token.
struct Pauses {
  std::vector<double> gap_ms, first_ms;
  double tokens = 0, stream_ms = 0;  // behind the first of each answer, and their time

  void add(const Pauses& more) {
    gap_ms.insert(gap_ms.end(), more.gap_ms.begin(), more.gap_ms.end());
    first_ms.insert(first_ms.end(), more.first_ms.begin(), more.first_ms.end());
    tokens += more.tokens;
    stream_ms += more.stream_ms;
  }
  double p99() const {
    std::vector<double> sorted = gap_ms;
    std::sort(sorted.begin(), sorted.end());
    return quantile(sorted, 0.99);
  }
  double median() const {
    std::vector<double> sorted = gap_ms;
    std::sort(sorted.begin(), sorted.end());
    return quantile(sorted, 0.5);
  }
  Value value() const {
    std::vector<double> gaps = gap_ms, firsts = first_ms;
    std::sort(gaps.begin(), gaps.end());
    std::sort(firsts.begin(), firsts.end());
    return Value::object({{"gaps", static_cast<std::int64_t>(gaps.size())},
                          {"gap_ms_median", quantile(gaps, 0.5)},
                          {"gap_ms_p95", quantile(gaps, 0.95)},
                          {"gap_ms_p99", quantile(gaps, 0.99)},
                          {"gap_ms_max", gaps.back()},
                          {"first_token_ms_median", firsts.empty() ? 0 : quantile(firsts, 0.5)},
                          {"tokens_per_s", tokens / stream_ms * 1000}});
  }
};

struct Ingestion {
  std::size_t texts = 0;
  double ms = 0;
  std::int64_t tokens = 0;
};

struct Rig {
  CliContext& context;
  std::string model;
  int tokens = 0;  // of an answer, at most
  std::unique_ptr<ScratchFolder> scratch;
  std::unique_ptr<Engine> engine;
  ModelHandle handle, encoder;
  std::vector<std::string> answers;  // to the questions, as first given
};

Result<Rig> start(CliContext& c, const Flags& f) {
  Rig rig{c, f.model.empty() ? kTextModel : f.model, f.tokens, nullptr, nullptr, {}, {}, {}};
  CONSORT_TRY(files, open_text_model(c, rig.model));
  static_cast<void>(files);  // a missing one is told before anything starts
  CONSORT_TRY(scratch, ScratchFolder::make(c));
  rig.scratch = std::move(scratch);
  EngineSetup setup;
  setup.store = true;
  setup.data_dir = rig.scratch->path();
  CONSORT_TRY(engine, Engine::start(c, setup));
  rig.engine = std::move(engine);
  CONSORT_TRY(handle, rig.engine->acquire(rig.model));
  rig.handle = std::move(handle);
  CONSORT_TRY(encoder, rig.engine->acquire(kDefaultEmbedder));
  rig.encoder = std::move(encoder);
  return rig;
}

// One answer. Arrivals after `over` are not counted: the ingestion has ended.
Result<std::string> answer(Rig& rig, const std::vector<ChatMessage>& messages, const std::atomic<bool>& over,
                           Pauses& pauses) {
  GenerateRequest request;
  request.prompt.messages = messages;
  request.prompt.plain_template = true;  // for models without a template
  request.max_tokens = rig.tokens;
  request.sampling.temperature = 0;
  struct Arrivals {
    Clock::time_point asked, last;
    bool begun = false;
    Pauses pauses;
  };
  auto seen = std::make_shared<Arrivals>();
  seen->asked = Clock::now();
  // The caller's thread touches `seen` again only when the call has ended, after which no sink runs.
  const TextSink sink = [seen, &over](std::string_view, const std::vector<TokenId>& ids) {
    const auto now = Clock::now();
    const double ms = std::chrono::duration<double, std::milli>(now - seen->last).count();
    if (!over.load()) {
      if (seen->begun) {
        seen->pauses.gap_ms.push_back(ms);
        seen->pauses.tokens += static_cast<double>(ids.size());
        seen->pauses.stream_ms += ms;
      } else {
        seen->pauses.first_ms.push_back(std::chrono::duration<double, std::milli>(now - seen->asked).count());
      }
    }
    seen->begun = true;
    seen->last = now;
  };
  auto asking = rig.handle.generate(std::move(request), rig.engine->request(), sink);
  CONSORT_TRY(result, rig.engine->wait(std::move(asking)));
  pauses.add(seen->pauses);
  return std::move(result.text);
}

// The questions one after the other, until `over`. The answers must be those of the first time.
Status converse(Rig& rig, const std::atomic<bool>& over, Pauses& pauses) {
  std::vector<ChatMessage> messages;
  for (std::size_t i = 0; i < std::size(kQuestions) && !over.load(); ++i) {
    messages.push_back({"user", kQuestions[i]});
    CONSORT_TRY(text, answer(rig, messages, over, pauses));
    if (rig.answers.size() == i) rig.answers.push_back(text);
    if (text != rig.answers[i])
      return fail(ErrorKind::kRuntime, fmt::format("question {} was answered otherwise than before", i + 1),
                  "bench gaps");
    messages.push_back({"assistant", std::move(text)});
  }
  return {};
}

// The texts first, first + 1, ... in files of a folder.
Result<std::string> write_texts(const Rig& rig, std::size_t first, std::size_t count) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::path(rig.scratch->path()) / fmt::format("texts-{}", first);
  std::error_code ec;
  fs::create_directories(folder, ec);
  for (std::size_t at = 0; at < count; at += kTextsPerFile) {
    std::ofstream out(folder / fmt::format("{:08}.txt", first + at));
    for (const std::string& text : paragraphs(first + at, std::min(kTextsPerFile, count - at)))
      out << text << "\n\n";
    if (!out.flush()) return fail(ErrorKind::kIo, "the texts cannot be written", folder.string());
  }
  return folder.string();
}

// What the command `memory ingest` does, with its own settings. `path`: a folder of texts or one file of
// them.
Result<IngestReport> read_in(Rig& rig, const std::string& path, const char* name_space, std::stop_token stop,
                             std::atomic<std::size_t>& files) {
  IngestOptions options;
  options.name_space = name_space;
  options.durability = Durability::kSync;
  options.blobs = &rig.engine->blobs();
  options.on_file = [&files](std::size_t, std::size_t) { files.fetch_add(1); };
  RequestContext context = rig.engine->request();
  context.stop = std::move(stop);
  return rig.engine->wait(
      ingest_path(rig.engine->retrieval(), &rig.engine->models(), path, options, context));
}

Result<Ingestion> ingest(Rig& rig, const std::string& folder, std::size_t count, const char* name_space,
                         std::stop_token stop, std::atomic<std::size_t>& files) {
  const auto begin = Clock::now();
  CONSORT_TRY(report, read_in(rig, folder, name_space, std::move(stop), files));
  if (report.created != count || report.truncated > 0 || !report.failures.empty())
    return fail(ErrorKind::kRuntime, fmt::format("{} of {} texts were ingested", report.created, count),
                "bench gaps");
  return Ingestion{count, milliseconds_since(begin), report.usage.prompt_tokens};
}

// The conversation again and again beside an ingestion.
Result<Ingestion> converse_beside(Rig& rig, const std::string& folder, std::size_t count,
                                  std::atomic<std::size_t>& files, const std::function<void()>& show,
                                  Pauses& pauses) {
  std::atomic<bool> over{false};
  std::stop_source stop;
  const std::stop_callback interrupted(rig.context.stop.get_token(), [&stop] { stop.request_stop(); });
  auto ingesting = std::async(std::launch::async, [&] {
    auto done = ingest(rig, folder, count, kTogether, stop.get_token(), files);
    over = true;
    return done;
  });
  Status talked;
  while (talked && !over.load()) {
    talked = converse(rig, over, pauses);
    show();
  }
  if (!talked) stop.request_stop();
  auto done = ingesting.get();
  if (!talked) return forward_error(talked);
  if (done && pauses.gap_ms.empty())
    return fail(ErrorKind::kInvalid, "the texts were ingested before two tokens had been written", "--items",
                "ask for more");
  return done;
}

// The first file once more, with nothing beside it: its vectors must be those of the time in company, to the
// bit.
Status check_vectors(Rig& rig, std::size_t count) {
  const std::string file = rig.scratch->path() + fmt::format("/texts-0/{:08}.txt", 0);
  std::atomic<std::size_t> files{0};
  CONSORT_TRY(report, read_in(rig, file, kTogether, rig.context.stop.get_token(), files));
  if (report.unchanged == std::min(count, kTextsPerFile) && report.items == report.unchanged) return {};
  return fail(
      ErrorKind::kRuntime,
      fmt::format("{} of {} texts have another vector alone than in company", report.updated, report.items),
      "bench gaps");
}

// Every text is there as it was written and has its vector; some of them are asked for in whole.
Status check_memory(Rig& rig, std::size_t count) {
  const auto id_of = [](std::size_t i) {
    return fmt::format("{:08}.txt#{}", i - i % kTextsPerFile, i % kTextsPerFile);
  };
  const auto missing = [](const std::string& what, std::size_t i) {
    return fail(ErrorKind::kRuntime, fmt::format("text {} {}", i, what), "bench gaps");
  };
  Retrieval& memory = rig.engine->retrieval();
  const std::vector<std::string> texts = paragraphs(0, count);
  for (std::size_t i = 0; i < count; ++i) {
    CONSORT_TRY(found, memory.find_external(kTogether, id_of(i)));
    if (!found || found->text != texts[i]) return missing("is not in the memory as it was written", i);
  }
  CONSORT_TRY(bare, memory.without_vector(kTogether, rig.encoder.id()));
  if (!bare.empty())
    return fail(ErrorKind::kRuntime, fmt::format("{} texts have no vector", bare.size()), "bench gaps");
  for (std::size_t q = 0; q < std::min(kQueries, count); ++q) {
    const std::size_t wanted = q * 7919 % count;
    MemorySearch search;
    search.query.name_space = kTogether;
    search.query.text = texts[wanted];
    search.query.top_k = 1;
    auto searching = search_memory(&memory, &rig.engine->models(), std::move(search), rig.engine->request());
    CONSORT_TRY(answer, rig.engine->wait(std::move(searching)));
    if (answer.result.hits.empty() || answer.result.hits[0].item.external_id != id_of(wanted))
      return missing("is not the first hit for its own words", wanted);
  }
  return {};
}

struct Figures {
  Pauses idle, busy;
  Ingestion alone, together;
  std::vector<double> ratios;  // of the rounds
};

void add(const Ingestion& more, Ingestion& sum) {
  sum.texts += more.texts;
  sum.ms += more.ms;
  sum.tokens += more.tokens;
}

Value ingestion_value(const Ingestion& i) {
  return Value::object({{"texts", static_cast<std::int64_t>(i.texts)},
                        {"tokens_of_a_text", static_cast<double>(i.tokens) / static_cast<double>(i.texts)},
                        {"texts_per_s", static_cast<double>(i.texts) / i.ms * 1000}});
}

// The texts [first, first + count) together with the conversation, a quarter as many others alone.
Status one_round(Rig& rig, std::size_t first, std::size_t count, std::atomic<std::size_t>& files,
                 const std::function<void()>& show, Figures& figures) {
  constexpr std::size_t kOthers = 100'000'000;  // numbers of texts that are ingested alone
  const std::atomic<bool> never{false};
  Pauses idle, busy;
  for (int i = 0; i < kIdleConversations; ++i) CONSORT_CHECK_OK(converse(rig, never, idle));
  if (idle.gap_ms.empty())
    return fail(ErrorKind::kInvalid, "an answer has no two tokens", "--tokens", "ask for more");
  const std::size_t few = std::min(count, std::max(kTextsPerFile, count / 4));
  CONSORT_TRY(others, write_texts(rig, kOthers + first, few));
  std::atomic<std::size_t> uncounted{0};
  CONSORT_TRY(alone, ingest(rig, others, few, kAlone, rig.context.stop.get_token(), uncounted));
  CONSORT_TRY(folder, write_texts(rig, first, count));
  CONSORT_TRY(together, converse_beside(rig, folder, count, files, show, busy));
  figures.ratios.push_back(busy.p99() / idle.p99());
  figures.idle.add(idle);
  figures.busy.add(busy);
  add(alone, figures.alone);
  add(together, figures.together);
  return {};
}

}  // namespace

Result<Value> gaps(CliContext& c, const Flags& f) {
  CONSORT_TRY(rig, start(c, f));
  const std::atomic<bool> never{false};
  Pauses warm;
  CONSORT_CHECK_OK(converse(rig, never, warm));
  const auto items = static_cast<std::size_t>(f.items);
  // Whole files to each round.
  const std::size_t files_in_all = (items + kTextsPerFile - 1) / kTextsPerFile;
  const std::size_t rounds = std::min(static_cast<std::size_t>(f.rounds), files_in_all);
  std::atomic<std::size_t> files{0};
  Progress progress(c.console, "gaps", "files");
  const auto show = [&] { progress.update(files.load(), files_in_all); };
  show();
  Figures figures;
  for (std::size_t r = 0; r < rounds; ++r) {
    const std::size_t first = files_in_all * r / rounds * kTextsPerFile;
    const std::size_t end = std::min(items, files_in_all * (r + 1) / rounds * kTextsPerFile);
    CONSORT_CHECK_OK(one_round(rig, first, end - first, files, show, figures));
    show();
  }
  progress.finish();
  CONSORT_CHECK_OK(check_memory(rig, items));
  CONSORT_CHECK_OK(check_vectors(rig, items));
  const double busy_p99 = figures.busy.p99();
  Value::Object out{{"name", "gaps"},
                    {"model", rig.model},
                    {"encoder", rig.encoder.id()},
                    {"threads", rig.engine->lane().threads()},
                    {"isa", std::string(isa_name(isa_from_name(c.options.isa).value_or(best_isa())))},
                    {"rounds", static_cast<std::int64_t>(rounds)},
                    {"items", static_cast<std::int64_t>(items)},
                    {"ratio", busy_p99 / figures.idle.p99()},
                    {"ratio_to_idle_median", busy_p99 / figures.idle.median()}};
  Value::Object ratios;
  append_samples(ratios, "ratio", figures.ratios);
  out.emplace_back("ratio_of_rounds", Value::object(std::move(ratios)));
  out.emplace_back("idle", figures.idle.value());
  out.emplace_back("busy", figures.busy.value());
  out.emplace_back("ingestion_alone", ingestion_value(figures.alone));
  out.emplace_back("ingestion_beside", ingestion_value(figures.together));
  out.emplace_back("answers_equal", true);
  out.emplace_back("vectors_equal", true);
  out.emplace_back("texts_found", static_cast<std::int64_t>(items));
  return Value::object(std::move(out));
}

}  // namespace consort::bench
