#include "agents/evaluation/table/table_export.h"

#include <fmt/format.h>

#include <limits>
#include <map>

#include "agents/evaluation/table/numpy_file.h"
#include "memory/base/text.h"

namespace consort {
namespace {

std::string readable(const std::string& bytes) {
  bool replaced = false;
  return to_utf8(bytes, replaced);
}

template <typename T>
std::string list_cell(const std::vector<T>& values) {
  std::string out;
  for (const T v : values) out += fmt::format("{}{}", out.empty() ? "" : " ", v);
  return out;
}

// Lists one behind the other, with where each begins.
template <typename T>
struct Ragged {
  std::vector<T> values;
  std::vector<std::int64_t> offsets{0};
  void add(const std::vector<T>& list) {
    values.insert(values.end(), list.begin(), list.end());
    offsets.push_back(static_cast<std::int64_t>(values.size()));
  }
};

using Arrays = std::vector<std::pair<std::string, std::string>>;

template <typename T>
void add_ragged(Arrays& out, const std::string& name, const Ragged<T>& ragged) {
  out.emplace_back(name,
                   npy(std::span<const T>(ragged.values), {static_cast<std::int64_t>(ragged.values.size())}));
  out.emplace_back(name + "_offsets", npy(std::span<const std::int64_t>(ragged.offsets),
                                          {static_cast<std::int64_t>(ragged.offsets.size())}));
}

void add_texts(Arrays& out, const std::vector<PredictionRow>& rows) {
  const auto column = [&](const char* name, const auto& of) {
    std::vector<std::string> texts;
    for (const PredictionRow& row : rows) texts.push_back(of(row));
    out.emplace_back(name, npy(texts));
  };
  column("item", [](const PredictionRow& r) { return r.item; });
  column("member", [](const PredictionRow& r) { return r.member; });
  column("split", [](const PredictionRow& r) { return r.split; });
  column("kind", [](const PredictionRow& r) { return std::string(task_kind_name(r.kind)); });
  column("answer", [](const PredictionRow& r) { return r.answer; });
  column("reason", [](const PredictionRow& r) { return r.reason; });
  column("kernel_path", [](const PredictionRow& r) { return r.kernel_path; });
}

void add_numbers(Arrays& out, const std::vector<PredictionRow>& rows) {
  const std::int64_t n = static_cast<std::int64_t>(rows.size());
  const auto column = [&]<typename T>(const char* name, T (*of)(const PredictionRow&)) {
    std::vector<T> values;
    for (const PredictionRow& row : rows) values.push_back(of(row));
    out.emplace_back(name, npy(std::span<const T>(values), {n}));
  };
  column(
      "variant", +[](const PredictionRow& r) { return static_cast<std::int64_t>(r.variant); });
  column(
      "tokens", +[](const PredictionRow& r) { return r.tokens; });
  column(
      "seed", +[](const PredictionRow& r) { return static_cast<std::int64_t>(r.seed); });
  column(
      "flop", +[](const PredictionRow& r) { return r.flop; });
  column(
      "entropy",
      +[](const PredictionRow& r) { return r.entropy.value_or(std::numeric_limits<double>::quiet_NaN()); });
}

void add_tokens(Arrays& out, const std::vector<PredictionRow>& rows) {
  const auto column = [&]<typename T>(const char* name, std::vector<T> TextTokens::*list) {
    Ragged<T> ragged;
    for (const PredictionRow& row : rows) ragged.add(row.text_tokens.*list);
    add_ragged(out, name, ragged);
  };
  column("token_ends", &TextTokens::ends);
  column("token_logprobs", &TextTokens::logprobs);
  column("token_entropies", &TextTokens::entropies);
  column("token_firsts", &TextTokens::firsts);
  column("token_seconds", &TextTokens::seconds);
  column("token_guesses", &TextTokens::guesses);
}

Status add_vectors(Arrays& out, const std::vector<PredictionRow>& rows, const VectorSource& source) {
  std::map<std::int64_t, std::vector<float>> by_dimension;
  std::vector<std::int64_t> place(rows.size(), -1), dimension(rows.size(), 0);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].embedding.empty()) continue;
    CONSORT_TRY(values, source(rows[i].embedding));
    if (values.empty()) continue;
    dimension[i] = static_cast<std::int64_t>(values.size());
    std::vector<float>& all = by_dimension[dimension[i]];
    place[i] = static_cast<std::int64_t>(all.size()) / dimension[i];
    all.insert(all.end(), values.begin(), values.end());
  }
  const std::int64_t n = static_cast<std::int64_t>(rows.size());
  out.emplace_back("embedding_row", npy(std::span<const std::int64_t>(place), {n}));
  out.emplace_back("embedding_dimension", npy(std::span<const std::int64_t>(dimension), {n}));
  for (const auto& [d, values] : by_dimension)
    out.emplace_back(fmt::format("vectors_{}", d),
                     npy(std::span<const float>(values), {static_cast<std::int64_t>(values.size()) / d, d}));
  return {};
}

}  // namespace

std::string csv_cell(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

std::string table_json_lines(const std::vector<PredictionRow>& rows) {
  std::string out;
  for (const PredictionRow& row : rows) {
    append_json(out, to_value(row));
    out += '\n';
  }
  return out;
}

std::string table_csv(const std::vector<PredictionRow>& rows) {
  std::string out =
      "item,member,variant,split,kind,prompt_hash,weights_digest,answer_raw,answer,reason,scores,bytes,"
      "byte_logprobs,token_ends,token_logprobs,token_entropies,token_firsts,token_seconds,token_guesses,"
      "entropy,embedding,tokens,flop,kernel_path,seed\r\n";
  for (const PredictionRow& r : rows) {
    const std::string cells[] = {csv_cell(readable(r.item)),
                                 csv_cell(readable(r.member)),
                                 std::to_string(r.variant),
                                 r.split,
                                 std::string(task_kind_name(r.kind)),
                                 r.prompt_hash,
                                 csv_cell(r.weights_digest),
                                 csv_cell(readable(r.answer_raw)),
                                 csv_cell(readable(r.answer)),
                                 csv_cell(r.reason),
                                 list_cell(r.scores),
                                 list_cell(r.bytes),
                                 list_cell(r.byte_logprobs),
                                 list_cell(r.text_tokens.ends),
                                 list_cell(r.text_tokens.logprobs),
                                 list_cell(r.text_tokens.entropies),
                                 list_cell(r.text_tokens.firsts),
                                 list_cell(r.text_tokens.seconds),
                                 list_cell(r.text_tokens.guesses),
                                 r.entropy ? fmt::format("{}", *r.entropy) : std::string(),
                                 r.embedding,
                                 std::to_string(r.tokens),
                                 fmt::format("{}", r.flop),
                                 csv_cell(r.kernel_path),
                                 std::to_string(r.seed)};
    for (std::size_t i = 0; i < std::size(cells); ++i) out += (i == 0 ? "" : ",") + cells[i];
    out += "\r\n";
  }
  return out;
}

std::string timings_csv(const std::vector<PredictionRow>& rows) {
  std::string out = "item,member,variant,milliseconds\r\n";
  for (const PredictionRow& r : rows)
    out += fmt::format("{},{},{},{}\r\n", csv_cell(readable(r.item)), csv_cell(readable(r.member)), r.variant,
                       r.milliseconds);
  return out;
}

Result<std::string> table_npz(const std::vector<PredictionRow>& rows, const VectorSource& vectors) {
  Arrays arrays;
  add_texts(arrays, rows);
  add_numbers(arrays, rows);
  Ragged<double> scores;
  Ragged<std::int64_t> bytes;
  Ragged<float> byte_logprobs;
  for (const PredictionRow& row : rows) {
    scores.add(row.scores);
    bytes.add(row.bytes);
    byte_logprobs.add(row.byte_logprobs);
  }
  add_ragged(arrays, "scores", scores);
  add_ragged(arrays, "bytes", bytes);
  add_ragged(arrays, "byte_logprobs", byte_logprobs);
  add_tokens(arrays, rows);
  CONSORT_CHECK_OK(add_vectors(arrays, rows, vectors));
  return npz(arrays);
}

Result<std::vector<PredictionRow>> table_from_json_lines(std::string_view text, const std::string& file) {
  constexpr std::size_t kShown = 5;
  std::vector<PredictionRow> rows;
  std::string wrong;
  std::size_t found = 0;
  for (std::size_t number = 1; !text.empty() && found < kShown; ++number) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    auto value = parse_json(line);
    Result<PredictionRow> row = value ? prediction_row_from(*value) : forward_error(value);
    if (row) {
      rows.push_back(std::move(*row));
      continue;
    }
    wrong += fmt::format("{}line {}{}: {}", found++ == 0 ? "" : "; ", number,
                         row.error().where.empty() ? "" : " " + row.error().where, row.error().what);
  }
  if (found > 0) return fail(ErrorKind::kInvalid, std::move(wrong), file);
  return rows;
}

}  // namespace consort
