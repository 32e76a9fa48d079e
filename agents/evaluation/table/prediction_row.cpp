#include "agents/evaluation/table/prediction_row.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "memory/base/text.h"
#include "memory/store/record.h"
#include "scheduler/schema/schema.h"
#include "scheduler/value/digest.h"

namespace consort {
namespace {

constexpr std::uint8_t kRowVersion = 2;  // 1: without text_tokens

const Schema& row_schema() {
  static const Schema schema = [] {
    constexpr std::string_view kText =
#include "agents/evaluation/table/row.schema.json.inc"
        ;
    return *Schema::compile(*parse_json(kText, "row.schema.json"));
  }();
  return schema;
}

std::string readable(const std::string& bytes) {
  bool replaced = false;
  return to_utf8(bytes, replaced);
}

template <typename T>
Value numbers(const std::vector<T>& list) {
  Value::Array out;
  out.reserve(list.size());
  for (const T v : list) {
    if constexpr (std::is_floating_point_v<T>)
      out.emplace_back(static_cast<double>(v));
    else
      out.emplace_back(static_cast<std::int64_t>(v));
  }
  return Value::array(std::move(out));
}

void add_text(Value::Object& out, const char* key, const std::string& text) {
  if (!text.empty()) out.emplace_back(key, readable(text));
}

std::string text_at(const Value& v, std::string_view key) {
  const Value* found = v.find(key);
  return found != nullptr ? found->as_string() : std::string();
}

double number_at(const Value& v, std::string_view key) {
  const Value* found = v.find(key);
  return found != nullptr ? found->as_number() : 0.0;
}

std::int64_t integer_at(const Value& v, std::string_view key) {
  const Value* found = v.find(key);  // "3.0" is an integer to the schema
  return found == nullptr      ? 0
         : found->is_integer() ? found->as_integer()
                               : static_cast<std::int64_t>(found->as_number());
}

void add_lists(Value::Object& out, const PredictionRow& row) {
  if (!row.scores.empty()) out.emplace_back("scores", numbers(row.scores));
  if (!row.bytes.empty()) out.emplace_back("bytes", numbers(row.bytes));
  if (!row.byte_logprobs.empty()) out.emplace_back("byte_logprobs", numbers(row.byte_logprobs));
  const TextTokens& t = row.text_tokens;
  if (!t.ends.empty()) out.emplace_back("token_ends", numbers(t.ends));
  if (!t.logprobs.empty()) out.emplace_back("token_logprobs", numbers(t.logprobs));
  if (!t.has_doubt()) return;
  out.emplace_back("token_entropies", numbers(t.entropies));
  out.emplace_back("token_firsts", numbers(t.firsts));
  out.emplace_back("token_seconds", numbers(t.seconds));
  out.emplace_back("token_guesses", numbers(t.guesses));
}

// Absent: empty; null in it: NaN.
template <typename T>
std::vector<T> list_at(const Value& v, std::string_view key) {
  std::vector<T> out;
  if (const Value* list = v.find(key))
    for (const Value& n : list->as_array())
      out.push_back(n.is_null() ? std::numeric_limits<T>::quiet_NaN() : static_cast<T>(n.as_number()));
  return out;
}

template <typename T>
void write_blob(RecordWriter& w, const std::vector<T>& list) {
  std::string blob(list.size() * sizeof(T), '\0');
  if (!blob.empty()) std::memcpy(blob.data(), list.data(), blob.size());
  w.bytes(blob);
}

template <typename T>
bool read_blob(RecordReader& r, std::vector<T>& list) {
  const std::string_view blob = r.bytes();
  if (!r.ok() || blob.size() % sizeof(T) != 0) return false;
  list.resize(blob.size() / sizeof(T));
  if (!blob.empty()) std::memcpy(list.data(), blob.data(), blob.size());
  return true;
}

// The count is checked against what is left before anything is reserved.
bool read_integers(RecordReader& r, std::vector<std::int64_t>& list) {
  const std::uint64_t count = r.varint();
  if (!r.ok() || count > r.left()) return false;
  list.resize(count);
  for (std::int64_t& v : list) v = r.zigzag();
  return r.ok();
}

void write_lists(RecordWriter& w, const PredictionRow& row) {
  w.varint(row.scores.size());
  for (const double v : row.scores) w.f64(v);
  w.varint(row.bytes.size());
  for (const std::int64_t v : row.bytes) w.zigzag(v);
  write_blob(w, row.byte_logprobs);
}

void write_tokens(RecordWriter& w, const TextTokens& t) {
  w.varint(t.ends.size());
  for (const std::int64_t v : t.ends) w.zigzag(v);
  write_blob(w, t.logprobs);
  for (const auto* list : {&t.entropies, &t.firsts, &t.seconds}) write_blob(w, *list);
  w.varint(t.guesses.size());
  for (const std::int64_t v : t.guesses) w.zigzag(v);
}

bool read_lists(RecordReader& r, PredictionRow& row) {
  const std::uint64_t scores = r.varint();
  if (!r.ok() || scores > r.left() / 8) return false;
  row.scores.resize(scores);
  for (double& v : row.scores) v = r.f64();
  return read_integers(r, row.bytes) && read_blob(r, row.byte_logprobs);
}

bool read_tokens(RecordReader& r, TextTokens& t) {
  return read_integers(r, t.ends) && read_blob(r, t.logprobs) && read_blob(r, t.entropies) &&
         read_blob(r, t.firsts) && read_blob(r, t.seconds) && read_integers(r, t.guesses) && t.consistent();
}

}  // namespace

static_assert(std::endian::native == std::endian::little, "stored floats are little-endian");

bool TextTokens::consistent() const {
  const std::size_t doubt = entropies.size();
  return logprobs.size() == ends.size() && (doubt == 0 || doubt == ends.size()) && firsts.size() == doubt &&
         seconds.size() == doubt && guesses.size() == doubt;
}

std::string vector_name(const std::vector<float>& values) {
  const std::string_view bytes(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  return bytes_digest(bytes);
}

std::string row_fingerprint(const PredictionRow& row) {
  return value_digest(Value::object({{"prompt", row.prompt_hash},
                                     {"weights", row.weights_digest},
                                     {"variant", row.variant},
                                     {"seed", row.seed}}));
}

Value to_value(const PredictionRow& row, bool with_milliseconds) {
  Value::Object out{{"item", readable(row.item)}, {"member", readable(row.member)}};
  if (row.variant != 0) out.emplace_back("variant", row.variant);
  add_text(out, "split", row.split);
  out.emplace_back("kind", task_kind_name(row.kind));
  add_text(out, "prompt_hash", row.prompt_hash);
  add_text(out, "weights_digest", row.weights_digest);
  if (row.kind == TaskKind::kAnswer) {
    out.emplace_back("answer_raw", readable(row.answer_raw));
    out.emplace_back("answer", readable(row.answer));
  }
  add_text(out, "reason", row.reason);
  add_lists(out, row);
  if (row.entropy) out.emplace_back("entropy", *row.entropy);
  add_text(out, "embedding", row.embedding);
  out.emplace_back("tokens", row.tokens);
  if (with_milliseconds) out.emplace_back("milliseconds", row.milliseconds);
  out.emplace_back("flop", row.flop);
  add_text(out, "kernel_path", row.kernel_path);
  if (row.seed != 0) out.emplace_back("seed", row.seed);
  return Value::object(std::move(out));
}

Result<PredictionRow> prediction_row_from(const Value& v) {
  CONSORT_CHECK_OK(row_schema().check(v));
  PredictionRow row;
  row.item = text_at(v, "item");
  row.member = text_at(v, "member");
  row.variant = static_cast<int>(integer_at(v, "variant"));
  row.split = text_at(v, "split");
  if (const Value* kind = v.find("kind")) row.kind = *task_kind(kind->as_string());
  row.prompt_hash = text_at(v, "prompt_hash");
  row.weights_digest = text_at(v, "weights_digest");
  row.answer_raw = text_at(v, "answer_raw");
  row.answer = text_at(v, "answer");
  row.reason = text_at(v, "reason");
  row.scores = list_at<double>(v, "scores");
  row.bytes = list_at<std::int64_t>(v, "bytes");
  row.byte_logprobs = list_at<float>(v, "byte_logprobs");
  row.text_tokens = {list_at<std::int64_t>(v, "token_ends"), list_at<double>(v, "token_logprobs"),
                     list_at<float>(v, "token_entropies"),   list_at<float>(v, "token_firsts"),
                     list_at<float>(v, "token_seconds"),     list_at<std::int64_t>(v, "token_guesses")};
  if (!row.text_tokens.consistent())
    return fail(ErrorKind::kInvalid, "the lists about a text's tokens differ in length", "/token_ends");
  if (const Value* entropy = v.find("entropy")) row.entropy = entropy->as_number();
  row.embedding = text_at(v, "embedding");
  row.tokens = integer_at(v, "tokens");
  row.milliseconds = number_at(v, "milliseconds");
  row.flop = number_at(v, "flop");
  row.kernel_path = text_at(v, "kernel_path");
  row.seed = static_cast<std::uint64_t>(integer_at(v, "seed"));
  return row;
}

std::string encode_row(const PredictionRow& row) {
  RecordWriter w(kRowVersion);
  w.bytes(row.item).bytes(row.member).bytes(row.split).zigzag(row.variant);
  w.u8(static_cast<std::uint8_t>(row.kind)).bytes(row.prompt_hash).bytes(row.weights_digest);
  w.bytes(row.answer_raw).bytes(row.answer).bytes(row.reason);
  write_lists(w, row);
  w.u8(row.entropy ? 1 : 0).f64(row.entropy.value_or(0)).bytes(row.embedding);
  w.zigzag(row.tokens).f64(row.milliseconds).f64(row.flop).bytes(row.kernel_path).varint(row.seed);
  write_tokens(w, row.text_tokens);
  return w.take();
}

Result<PredictionRow> decode_row(std::string_view bytes) {
  RecordReader r(bytes);
  const std::uint8_t version = r.u8();
  if (r.ok() && version > kRowVersion)
    return fail(ErrorKind::kUnsupported, "a prediction row of a newer version", "store");
  PredictionRow row;
  row.item = r.bytes();
  row.member = r.bytes();
  row.split = r.bytes();
  row.variant = static_cast<int>(r.zigzag());
  const std::uint8_t kind = r.u8();
  row.kind = static_cast<TaskKind>(kind);
  row.prompt_hash = r.bytes();
  row.weights_digest = r.bytes();
  row.answer_raw = r.bytes();
  row.answer = r.bytes();
  row.reason = r.bytes();
  const bool lists = read_lists(r, row);
  const bool has_entropy = r.u8() == 1;
  const double entropy = r.f64();
  if (has_entropy) row.entropy = entropy;
  row.embedding = r.bytes();
  row.tokens = r.zigzag();
  row.milliseconds = r.f64();
  row.flop = r.f64();
  row.kernel_path = r.bytes();
  row.seed = r.varint();
  const bool tokens = version < 2 || read_tokens(r, row.text_tokens);
  if (!lists || !tokens || version == 0 || kind > static_cast<std::uint8_t>(TaskKind::kRetrieval))
    return fail(ErrorKind::kCorrupt, "a damaged prediction row", "store");
  CONSORT_CHECK_OK(r.finish("prediction row"));
  return row;
}

}  // namespace consort
