// consort memory: the shared retrieval memory from the command line: ingest, search, stats, check.
#include <fmt/format.h>

#include "agents/calls/ingest.h"
#include "agents/calls/memory_search.h"
#include "agents/calls/memory_values.h"
#include "agents/calls/options.h"
#include "memory/store/store.h"
#include "protocols/cli/commands/commands.h"
#include "protocols/cli/engine.h"

namespace consort {
namespace {

struct Flags {
  std::string name_space = "notes", model;  // model: empty = the default
  std::string path, split = "paragraph";    // ingest
  std::size_t max_bytes = 0;                // 0: 800 for texts, 1,600 for code
  bool code = false;
  std::string classifier = "magika";
  bool words_only = false, pictures = false, repair = false;
  ProjectionOptions projection;
  std::string query, mode = "hybrid", filter;  // search
  std::size_t top_k = 10;
  double lexical_weight = 1.0, dense_weight = 1.0;
  std::string rerank;
  std::size_t candidates = 30;
};

EngineSetup with_store() {
  EngineSetup setup;
  setup.store = true;
  return setup;
}

Value count_value(std::size_t n) {
  return Value(static_cast<std::int64_t>(n));
}

Value texts_value(const std::vector<std::string>& texts) {
  Value::Array list;
  for (const std::string& text : texts) list.emplace_back(text);
  return Value::array(std::move(list));
}

Value report_value(const IngestReport& r, const std::string& name_space) {
  Value::Array failures;
  for (const IngestFailure& f : r.failures) {
    failures.push_back(Value::object({{"file", f.file}, {"error", problem_value(f.error)}}));
  }
  return Value::object({{"namespace", name_space},
                        {"files", count_value(r.files)},
                        {"items", count_value(r.items)},
                        {"created", count_value(r.created)},
                        {"updated", count_value(r.updated)},
                        {"unchanged", count_value(r.unchanged)},
                        {"erased", count_value(r.erased)},
                        {"vanished", texts_value(r.vanished)},
                        {"truncated", count_value(r.truncated)},
                        {"passedOver", count_value(r.passed_over)},
                        {"failures", Value::array(std::move(failures))},
                        {"usage", usage_value(r.usage)}});
}

Result<int> ingest(CliContext& c, const Flags& f) {
  CONSORT_TRY(engine, Engine::start(c, with_store()));
  Progress progress(c.console, "ingest", "files");
  IngestOptions options;
  options.name_space = f.name_space;
  const std::string encoder = f.model.empty() ? kDefaultEmbedder : f.model;
  options.model = f.words_only ? "" : encoder;
  options.split = {f.split == "sentence" ? SplitOptions::Unit::kSentence : SplitOptions::Unit::kParagraph,
                   f.max_bytes > 0 ? f.max_bytes : SplitOptions{}.max_bytes};
  options.code = f.code;
  options.classifier = f.classifier;
  if (f.max_bytes > 0) options.code_split.max_bytes = f.max_bytes;
  options.durability = Durability::kSync;
  options.blobs = &engine->blobs();
  if (f.pictures) {
    options.pictures = f.projection;
    options.pictures->encoder = encoder;
  }
  options.on_file = [&progress](std::size_t done, std::size_t total) { progress.update(done, total); };
  CONSORT_TRY(report, engine->wait(ingest_path(engine->retrieval(), &engine->models(), f.path, options,
                                               engine->request())));
  progress.finish();
  for (const IngestFailure& failure : report.failures)
    c.console.note(failure.file + ": " + failure.error.what);
  for (const std::string& file : report.vanished)
    c.console.note(file + ": is gone, what it gave was forgotten");
  if (report.truncated > 0) {
    c.console.note(
        fmt::format("{} items are longer than the encoder reads; search by meaning sees only their beginning",
                    report.truncated));
  }
  if (c.console.json()) {
    c.console.result(report_value(report, f.name_space));
  } else {
    c.console.line(fmt::format("{} files, {} items in '{}': {} created, {} updated, {} unchanged, {} erased",
                               report.files, report.items, f.name_space, report.created, report.updated,
                               report.unchanged, report.erased));
  }
  return report.failures.empty() ? 0 : 3;
}

Result<MemorySearch> make_search(const Flags& f) {
  MemorySearch search;
  SearchQuery& query = search.query;
  query.name_space = f.name_space;
  query.text = f.query;
  query.mode = *parse_search_mode(f.mode);
  query.top_k = f.top_k;
  query.fusion.lexical_weight = f.lexical_weight;
  query.fusion.dense_weight = f.dense_weight;
  if (!f.filter.empty()) {
    CONSORT_TRY(json, parse_json(f.filter, "--filter"));
    CONSORT_TRY(filter, read_filter(json));
    query.filter = std::move(filter);
  }
  search.model = f.model;
  search.rerank = f.rerank;
  search.candidates = f.candidates;
  return search;
}

std::string hit_line(std::size_t number, const SearchHit& hit) {
  const auto place = [](const char* name, const std::optional<BranchRank>& b) {
    return b ? fmt::format(", {} {}", name, b->rank) : std::string();
  };
  std::string source = hit.item.provenance.source.empty() ? "(no source)" : hit.item.provenance.source;
  if (const auto line = hit.item.metadata.find("line"); line != hit.item.metadata.end())
    if (const auto* number_of_line = std::get_if<std::int64_t>(&line->second))
      source += fmt::format(":{}", *number_of_line);
  return fmt::format("{:2}. {:.4f}  {}\n      {}{}{}", number, hit.score, hit.item.text, source,
                     place("by words", hit.lexical), place("by meaning", hit.dense));
}

Result<int> search(CliContext& c, const Flags& f) {
  CONSORT_TRY(engine, Engine::start(c, with_store()));
  CONSORT_TRY(wanted, make_search(f));
  const SearchMode mode = wanted.query.mode;
  const bool filtered = wanted.query.filter.has_value();
  CONSORT_TRY(answer, engine->wait(search_memory(&engine->retrieval(), &engine->models(), std::move(wanted),
                                                 engine->request())));
  const SearchResult& found = answer.result;
  if (!found.known_namespace) {
    return fail(ErrorKind::kNotFound, fmt::format("the memory holds nothing under '{}'", f.name_space),
                "--namespace", "consort memory ingest DIR --namespace " + f.name_space);
  }
  if (mode != SearchMode::kLexical && found.dense_matches == 0 && !filtered) {
    c.console.note(mode == SearchMode::kHybrid
                       ? "no item of the namespace has a vector of this model; only words were compared"
                       : "no item of the namespace has a vector of this model");
  }
  if (c.console.json()) {
    c.console.result(search_value(found, mode));
    return 0;
  }
  for (std::size_t i = 0; i < found.hits.size(); ++i) c.console.line(hit_line(i + 1, found.hits[i]));
  if (found.hits.empty()) c.console.note("nothing found");
  return 0;
}

std::string_view metric_name(VectorMetric metric) {
  if (metric == VectorMetric::kMaxSim) return "maxSim";
  return metric == VectorMetric::kCosine ? "cosine" : "dot";
}

Value space_value(const SpaceStats& s) {
  return Value::object({{"name", s.space.name},
                        {"fingerprint", s.space.fingerprint},
                        {"dimension", count_value(s.space.dimension)},
                        {"metric", metric_name(s.space.metric)},
                        {"vectors", count_value(s.vectors)}});
}

Value stats_value(const RetrievalStats& stats, const StoreStats& store) {
  Value::Array names;
  for (const NamespaceStats& n : stats.namespaces) {
    Value::Array spaces;
    for (const SpaceStats& s : n.spaces) spaces.push_back(space_value(s));
    names.push_back(Value::object({{"name", n.name},
                                   {"items", count_value(n.items)},
                                   {"terms", count_value(n.terms)},
                                   {"textBytes", count_value(n.text_bytes)},
                                   {"indexBytes", count_value(n.index_bytes)},
                                   {"spaces", Value::array(std::move(spaces))}}));
  }
  return Value::object({{"namespaces", Value::array(std::move(names))},
                        {"indexBytes", count_value(stats.index_bytes)},
                        {"storeBytes", count_value(store.memory_bytes)},
                        {"diskBytes", Value(store.disk_bytes)}});
}

Result<int> stats(CliContext& c) {
  CONSORT_TRY(engine, Engine::start(c, with_store()));
  CONSORT_TRY(found, engine->retrieval().stats());
  const StoreStats store = engine->store().stats();
  if (c.console.json()) {
    c.console.result(stats_value(found, store));
    return 0;
  }
  for (const NamespaceStats& n : found.namespaces) {
    c.console.line(
        fmt::format("{}: {} items, {} words, {} bytes of text", n.name, n.items, n.terms, n.text_bytes));
    for (const SpaceStats& s : n.spaces) {
      c.console.line(
          fmt::format("  {} vectors of {} ({} numbers)", s.vectors, s.space.name, s.space.dimension));
    }
  }
  c.console.line(fmt::format("on disk {} bytes; in memory: index {}, store {}", store.disk_bytes,
                             found.index_bytes, store.memory_bytes));
  return 0;
}

Result<int> check(CliContext& c, bool repair) {
  EngineSetup setup = with_store();
  setup.salvage_log = repair;
  CONSORT_TRY(engine, Engine::start(c, setup));
  CONSORT_TRY(store, engine->store().check());
  CONSORT_TRY(index, engine->retrieval().check());
  std::vector<std::string> findings = store.findings;
  findings.insert(findings.end(), index.findings.begin(), index.findings.end());
  if (c.console.json()) {
    c.console.result(Value::object({{"ok", findings.empty()},
                                    {"keys", Value(store.keys)},
                                    {"bytes", Value(store.bytes)},
                                    {"namespaces", count_value(index.namespaces)},
                                    {"items", count_value(index.items)},
                                    {"vectors", count_value(index.vectors)},
                                    {"findings", texts_value(findings)}}));
  } else {
    for (const auto& finding : findings) c.console.line(finding);
    c.console.line(fmt::format("{}: {} keys read back, {} namespaces, {} items, {} vectors",
                               findings.empty() ? "in order" : "DAMAGED", store.keys, index.namespaces,
                               index.items, index.vectors));
  }
  return findings.empty() ? 0 : exit_status(ErrorKind::kCorrupt);
}

void add_ingest(Command memory, CliContext& c, const std::shared_ptr<Flags>& f) {
  auto sub = memory.add_subcommand("ingest", "read a file or a folder of notes into the memory");
  sub.add_option("path", f->path, "file or folder (.md, .markdown, .txt)").required();
  sub.add_option("--namespace", f->name_space, "where the items go").show_default();
  sub.add_option("--model", f->model, std::string("the encoder (default: ") + kDefaultEmbedder + ")");
  sub.add_flag("--code", f->code,
               "read source files: cut into functions and classes, with path, lines and symbol");
  sub.add_option("--classifier", f->classifier,
                 "with --code: what tells languages; \"\": by the files' endings")
      .show_default();
  sub.add_flag("--words-only", f->words_only, "store no vectors: only search by words finds the items");
  sub.add_flag("--images", f->pictures, "read pictures too (.jpg, .png, .webp); search finds them by words");
  sub.add_option("--image-model", f->projection.vision, "what sees the pictures").show_default();
  sub.add_option("--image-strategy", f->projection.strategy,
                 "conse: mean of the label texts' embeddings; joint: one model for pictures and texts")
      .one_of({"conse", "joint"})
      .show_default();
  sub.add_option("--split", f->split, "what one item is").one_of({"paragraph", "sentence"}).show_default();
  sub.add_option("--max-bytes", f->max_bytes, "longest item (default: 800, with --code 1600)")
      .in_range(16, 65536);
  sub.callback([&c, f] { c.action = [&c, f] { return ingest(c, *f); }; });
}

void add_search(Command memory, CliContext& c, const std::shared_ptr<Flags>& f) {
  auto sub = memory.add_subcommand("search", "find items by words, by meaning or both");
  sub.add_option("query", f->query, "what to look for").required();
  sub.add_option("--namespace", f->name_space, "where to look").show_default();
  sub.add_option("--mode", f->mode, "how")
      .one_of({"lexical", "dense", "hybrid", "lateInteraction"})
      .show_default();
  sub.add_option("--top-k", f->top_k, "how many hits").in_range(1, 1000).show_default();
  sub.add_option("--filter", f->filter, "conditions on metadata, as JSON: {\"year\": {\"gt\": 1900}}");
  sub.add_option("--model", f->model,
                 std::string("the encoder of the namespace (default: ") + kDefaultEmbedder +
                     "; for lateInteraction " + kDefaultTokenEmbedder + ")");
  sub.add_option("--rerank", f->rerank,
                 "a cross-encoder that orders the first hits anew (ms-marco-minilm-l12-v2)");
  sub.add_option("--candidates", f->candidates, "hits that the cross-encoder reads")
      .in_range(1, 1000)
      .show_default();
  sub.add_option("--lexical-weight", f->lexical_weight, "of the search by words in the fusion")
      .non_negative()
      .show_default();
  sub.add_option("--dense-weight", f->dense_weight, "of the search by meaning in the fusion")
      .non_negative()
      .show_default();
  sub.callback([&c, f] { c.action = [&c, f] { return search(c, *f); }; });
}

}  // namespace

void add_memory(Command app, CliContext& c) {
  auto memory = app.add_subcommand("memory", "the shared retrieval memory");
  memory.require_subcommand();
  auto f = std::make_shared<Flags>();
  add_ingest(memory, c, f);
  add_search(memory, c, f);
  memory.add_subcommand("stats", "what the memory holds").callback([&c] {
    c.action = [&c] { return stats(c); };
  });
  auto checking =
      memory.add_subcommand("check", "verify the store's checksums and compare the index with the truth");
  checking.add_flag("--repair", f->repair,
                    "open a store whose log is damaged, keeping what lies before the damage");
  checking.callback([&c, f] { c.action = [&c, f] { return check(c, f->repair); }; });
}

}  // namespace consort
